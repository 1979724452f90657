import { spawn } from 'node:child_process';
import type { MountHealth } from '@strata/model';
import { type Answer, healDue, type Host, type MountSeen, mountOfUnit, mountUnit, mountUnitFile, nextHealth } from '@strata/tasks';

const lookEveryMs = 5_000;

/**
 * One question to a file system, asked by a program of its own: one whose server hangs holds whoever looks at it, and no signal helps. While a program is
 * held no second one is begun, so that they do not pile up.
 */
export class Probe {
  private begunAt = 0;
  private held: Promise<void> | null = null;
  private last: Answer | null = null;
  constructor(private readonly argv: readonly [string, ...string[]]) {}

  /** What is known now; begins a look if none is under way, and waits a moment for its answer. */
  async answer(waitMs: number): Promise<Answer | null> {
    this.held ??= this.begin();
    return this.ended(this.begunAt < performance.now() - waitMs ? 0 : waitMs);
  }
  /** Waits for the look that is under way, so long at most. */
  async ended(waitMs: number): Promise<Answer | null> {
    let timer: NodeJS.Timeout | undefined;
    const silence = new Promise<void>((resolve) => (timer = setTimeout(resolve, waitMs)));
    await Promise.race([this.held, silence]);
    clearTimeout(timer);
    return this.held === null ? this.last : { silentMs: performance.now() - this.begunAt };
  }
  private begin(): Promise<void> {
    const begun = performance.now();
    this.begunAt = begun;
    return new Promise((resolve) => {
      const [program, ...args] = this.argv;
      const child = spawn(program, args, { cwd: '/', env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' }, stdio: ['ignore', 'ignore', 'pipe'] });
      let said = '';
      child.stderr.on('data', (part: Buffer) => (said = (said + part.toString()).slice(0, 400)));
      const end = (answer: Answer): void => {
        this.last = answer;
        this.held = null;
        resolve();
      };
      child.once('error', (error) => end({ error: error.message }));
      child.once('close', (code) => end(code === 0 || /No such file/.test(said) ? { ms: performance.now() - begun } : { error: said.trim() || `${program} ended with ${code}` }));
    });
  } // prettier-ignore
}
const statOf = (path: string): Probe => new Probe(['stat', '--format=%i', '--', path]);

/** Looks at this node's shared mount every few seconds, and begins it anew when it is of no use any more. Nothing of it ever waits for the mount itself. */
export class MountWatch {
  private current: MountHealth | null = null;
  private probes: { path: string; root: Probe; tree: Probe } | null = null;
  private healedAt: number | null = null;
  private timer: NodeJS.Timeout | undefined;
  private looking = false;

  constructor(private readonly o: { host: Host; say: (line: string) => void; onChange: () => void }) {}

  /** Null where the node has no shared mount. */
  get health(): MountHealth | null {
    return this.current;
  }
  start(): void {
    this.timer = setInterval(() => void this.tick(), lookEveryMs).unref();
  }
  stop(): void {
    clearInterval(this.timer);
  }
  private async tick(): Promise<void> {
    if (this.looking) return;
    this.looking = true;
    try {
      await this.look();
    } catch (error) {
      this.o.say(`the shared mount could not be looked at: ${(error as Error).message}`);
    } finally {
      this.looking = false;
    }
  }

  /** One look, and what follows from it. */
  async look(): Promise<void> {
    const seen = await this.see();
    const was = this.current;
    this.current = seen && nextHealth(was, seen, Date.now());
    if (this.current?.state !== was?.state) {
      if (this.current && (was || this.current.state !== 'ok')) this.o.say(`the shared mount: ${this.current.words}`);
      this.o.onChange();
    }
    if (this.current && healDue(this.current, this.healedAt, Date.now())) await this.heal(this.current);
  }

  private async see(): Promise<MountSeen | null> {
    const { host } = this.o;
    const of = mountOfUnit((await host.files.read(mountUnitFile)) ?? '');
    if (of === null) return null;
    const { path } = of;
    if (this.probes?.path !== path) this.probes = { path, root: statOf(path), tree: statOf(`${path}/common`) };
    const type = (await host.mounts.list()).findLast((m) => m.path === path)?.type ?? null;
    if (type === null) return { path, type, root: null, tree: null, unit: (await host.units.state(mountUnit)).active };
    const root = await this.probes.root.answer(1_000);
    const tree = root && 'ms' in root ? await this.probes.tree.answer(1_000) : null;
    return { path, type, root, tree, unit: 'active' };
  }

  /** As the unit does it: the connection to the kernel is ended, whoever waits in it gets an error, and systemd mounts anew. */
  private async heal(is: MountHealth): Promise<void> {
    const { host, say } = this.o;
    this.healedAt = Date.now();
    this.current = { ...is, remounts: is.remounts + 1 };
    say(`the shared mount: ${is.words}; its connection is ended and ${mountUnit} restarted (${is.remounts + 1})`);
    for (const argv of [['umount', '-c', '-f', '-l', is.path], ['systemctl', 'restart', '--no-block', mountUnit]] as const) {
      const ran = await host.programs.run(argv, { timeoutMs: 15_000 }).catch((error: Error) => ({ code: 1, stderr: error.message }));
      if (ran.code !== 0) say(`${argv.join(' ')}: ${ran.stderr.trim().slice(0, 300)}`);
    }
  } // prettier-ignore
}
