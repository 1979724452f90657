import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { build } from 'esbuild';
import type { PartName, Status } from '../status';

/** Real supervisors of one home, each a process. */
export class SupervisedHome {
  private constructor(
    readonly dir: string,
    private readonly program: string,
    private readonly out: string,
  ) {}

  /** Builds the program and makes a home; nothing runs yet. */
  static async make(): Promise<SupervisedHome> {
    const cache = join(__dirname, '../../../dist-bundle'); // inside the repository: PostgreSQL's programs are looked up from there
    mkdirSync(cache, { recursive: true });
    const out = mkdtempSync(join(cache, 'spec-'));
    const program = join(out, 'supervised.cjs');
    await build({
      entryPoints: [join(__dirname, 'supervised.ts')],
      outfile: program,
      bundle: true,
      platform: 'node',
      target: 'node24',
      format: 'cjs',
      conditions: ['@strata/source', 'node'],
      external: ['pg-native'],
      logLevel: 'warning',
    });
    return new SupervisedHome(mkdtempSync('/tmp/strata-home-'), program, out);
  }

  /** Starts one more supervisor. `ended`: its exit code and what it said. */
  supervise(...flags: string[]): { pid: number; ended: Promise<{ code: number | null; said: string }> } {
    const child = spawn(process.execPath, [this.program, 'supervise', '--home', this.dir, ...flags], { stdio: ['ignore', 'ignore', 'pipe'], detached: true });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const ended = new Promise<{ code: number | null; said: string }>((resolve) => child.once('close', (code) => resolve({ code, said })));
    return { pid: child.pid ?? 0, ended };
  }

  status(): Status {
    return JSON.parse(readFileSync(join(this.dir, 'run/status.json'), 'utf8')) as Status;
  }
  pid(part: PartName): number {
    return this.status().parts[part].pid ?? 0;
  }
  read(path: string): string {
    return readFileSync(join(this.dir, path), 'utf8');
  }

  /** Waits until the condition holds; tells how long that took (ms). Throws with the supervisor's log after `deadline` ms. */
  async until(what: string, holds: () => boolean | Promise<boolean>, deadline = 30_000): Promise<number> {
    const began = performance.now();
    for (;;) {
      if (await Promise.resolve().then(holds).catch(() => false)) return performance.now() - began; // prettier-ignore
      if (performance.now() - began > deadline) throw new Error(`not within ${deadline} ms: ${what}\n${this.read('logs/supervisor.log')}`);
      await sleep(20);
    }
  }
  allRunning(): Promise<number> {
    return this.until('all parts run', () => Object.values(this.status().parts).every((part) => part.state === 'running'));
  }

  remove(): void {
    rmSync(this.dir, { recursive: true, force: true });
    rmSync(this.out, { recursive: true, force: true });
  }
}
