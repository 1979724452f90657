import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const node = join(root, 'node_modules/.bin/node');
export const say = (line: string): void => void process.stdout.write(`${line}\n`);

/** A control server and a lab of their own for one measurement: everything is in `dir` and below `name`, so it runs beside a living installation. */
export class BenchLab {
  readonly dir: string;
  readonly name: string;
  readonly home: string;
  readonly strata = [node, join(root, 'apps/cli/dist-bundle/strata.cjs')] as const;
  readonly lab = [node, join(root, 'apps/lab/dist-bundle/lab.cjs')] as const;
  private readonly ours: Record<string, string>;

  constructor(dir: string, name: string) {
    [this.dir, this.name] = [dir, name];
    this.home = join(dir, 'server');
    this.ours = { XDG_CONFIG_HOME: join(dir, 'config'), XDG_STATE_HOME: join(dir, 'state'), STRATA_HOME: this.home };
  }

  /** Runs a program to its end; gives what it printed. @throws Error with its last words */
  run(argv: readonly string[], { input = '', env = {} }: { input?: string; env?: Record<string, string> } = {}): Promise<string> {
    return new Promise((resolve, reject) => {
      const child = spawn(argv[0] ?? '', argv.slice(1), { env: { ...process.env, ...this.ours, ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
      let [out, err] = ['', ''];
      child.stdout.on('data', (part: Buffer) => (out += part.toString()));
      child.stderr.on('data', (part: Buffer) => (err += part.toString()));
      child.stdin.end(input);
      child.once('error', reject);
      child.once('close', (code) => (code === 0 ? resolve(out) : reject(new Error(`\`${argv.join(' ')}\` ended with exit status ${code ?? 'signal'}\n${(out + err).slice(-2000)}`)))); // prettier-ignore
    });
  }
  /** The command line of a program on a node. */
  inNode(who: string, argv: readonly string[]): string[] {
    return [...this.lab, 'exec', '--name', this.name, who, '--', ...argv];
  }
  spec(): Promise<string> {
    return this.run([...this.lab, 'spec', '--name', this.name]);
  }
  /** From nothing: the server (on `port` and the three after it) and so many machines. */
  async up(nodes: number, port: number, settings: Record<string, string> = {}): Promise<void> {
    await this.down();
    mkdirSync(this.home, { recursive: true, mode: 0o711 });
    const all = { apiPort: port, agentPort: port + 1, artifactPort: port + 2, enrollPort: port + 3, ...settings };
    writeFileSync(join(this.home, 'server.yaml'), Object.entries(all).map(([k, v]) => `${k}: ${v}\n`).join(''), { mode: 0o600 }); // prettier-ignore
    await this.run([...this.strata, 'up', '--home', this.home, '--no-unit']);
    await this.run([...this.lab, 'up', '--name', this.name, '--nodes', String(nodes), '--base', 'ready']);
  }
  /** The machines are gone with their agents, so the server's state is worth nothing. */
  async down(): Promise<void> {
    await this.run([...this.lab, 'down', '--name', this.name]);
    if (existsSync(this.home)) await this.run([...this.strata, 'down', '--home', this.home]);
    rmSync(this.dir, { recursive: true, force: true });
  }
}
