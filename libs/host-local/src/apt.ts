import { rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { interruptedPackages, lockHolder, TaskError } from '@strata/tasks';
import { localSource } from './fact-source';
import { replaceFile, statOf } from './files';
import { type Manager, type ManagerOptions, namesIn, type RunManager } from './packages';
import { type Argv, runProgram } from './programs';
import { aptTrouble } from './apt-words';

const env = { DEBIAN_FRONTEND: 'noninteractive', NEEDRESTART_SUSPEND: '1', APT_LISTCHANGES_FRONTEND: 'none', UCF_FORCE_CONFFOLD: '1' };
const quiet = [
  '-q',
  '-y',
  '-o',
  'Dpkg::Options::=--force-confold',
  '-o',
  'Dpkg::Options::=--force-confdef',
  '-o',
  'DPkg::Lock::Timeout=5',
  '-o',
  'APT::Status-Fd=1',
];
const archives = '/var/cache/apt/archives';
const archived = async (): Promise<string[]> =>
  (await Promise.all([archives, `${archives}/partial`].map(async (dir) => (await namesIn(dir)).filter((n) => /\.deb(\.\w+)?$/.test(n)).map((n) => join(dir, n))))).flat(); // prettier-ignore
const day = 86_400_000;
const lockWait = 20 * 60_000;

/** Debian's packages. Never removes a package to install another; never asks; waits for dpkg's lock and says who holds it. */
export function aptPackages(run: RunManager, stateDir: string): Manager {
  const mark = join(stateDir, 'programs', 'dpkg-in-use'); // stands while our own dpkg runs: left behind, it was we who were interrupted
  async function table(names: readonly string[]): Promise<Record<string, string>> {
    const r = await runProgram(['dpkg-query', '-W', '-f', '${db:Status-Abbrev}|${Package}|${Version}\\n', ...names], { timeoutMs: 30_000 });
    return Object.fromEntries(r.stdout.split('\n').filter((l) => l.startsWith('ii')).map((l) => [l.split('|')[1] ?? '', l.split('|')[2] ?? ''])); // prettier-ignore
  }
  async function known(names: readonly string[]): Promise<boolean> {
    const r = await runProgram(['apt-cache', 'show', '--no-all-versions', ...names], { timeoutMs: 60_000 });
    const found = new Set([...r.stdout.matchAll(/^Package: (.*)$/gm)].map((m) => m[1]));
    return names.every((n) => found.has(n)) || (r.code === 0 && found.size >= names.length);
  }
  async function refresh(names: readonly string[], o: ManagerOptions): Promise<void> {
    const lists = (await namesIn('/var/lib/apt/lists')).some((n) => /_Packages(\.|$)/.test(n));
    const age = Date.now() - ((await stat('/var/lib/apt/lists').catch(() => null))?.mtimeMs ?? 0);
    if (lists && age < day && (await known(names))) return;
    await update(names, o);
  }
  /** A source that says no does not matter while another has what is wanted; one that is old may be all there is. */
  async function update(names: readonly string[], o: ManagerOptions): Promise<void> {
    o.progress?.(null, 'reading the lists of packages');
    const argv: Argv = ['apt-get', 'update', '-q', '-o', 'DPkg::Lock::Timeout=5', '-o', 'Acquire::Retries=3'];
    try {
      const { stdout, stderr } = await run(argv, { ...o, durable: `${o.durable}-update`, env });
      if (await known(names)) return;
      const why = aptTrouble(`${stderr}\n${stdout}`); // it ends well also where a source failed
      if (why) throw why;
    } catch (error) {
      if (!(error instanceof TaskError) || !error.code.startsWith('package-source') || !(await known(names))) throw error;
      o.log?.(`a package source does not matter here: ${error.message}`);
    }
  }
  /** Lets a program of ours have the lock as soon as nobody else has it; one that came in between is waited for, too. */
  async function withLock(o: ManagerOptions, work: (o: ManagerOptions) => Promise<void>): Promise<void> {
    const until = Date.now() + lockWait;
    for (let round = 1; ; round += 1) {
      await waitForLock(o, until);
      await mend(o);
      try {
        return await work(round === 1 ? o : { ...o, durable: `${o.durable}-${round}` });
      } catch (error) {
        if (!(error instanceof TaskError) || error.code !== 'package-lock' || Date.now() > until) throw error;
      }
    }
  }
  async function waitForLock(o: ManagerOptions, until: number): Promise<void> {
    const since = new Date().toISOString().slice(11, 19);
    for (let holder = await lockHolder(localSource); holder !== null; holder = await lockHolder(localSource)) {
      if (Date.now() > until)
        throw new TaskError('package-lock', `dpkg's lock is held by ${holder} for more than ${lockWait / 60_000} minutes`, {
          remedy: `let it end, or stop it, then retry the step`,
          retry: true,
        });
      o.progress?.(null, `waiting for dpkg's lock, which ${holder} holds, since ${since} UTC`);
      await sleep(1000, undefined, { signal: o.signal });
    }
  }
  return {
    installed: async (names) => {
      const found = names.length > 0 ? await table(names) : {};
      return Object.fromEntries(names.map((n) => [n, found[n] ?? null]));
    },
    all: () => table([]),
    install: (names, options) =>
      withLock(options, async (o) => {
        await refresh(names, o);
        try {
          await install(names, o);
        } catch (error) {
          // lists of yesterday name files that a mirror has replaced since
          if (!(error instanceof TaskError) || !['package-source', 'package-unknown'].includes(error.code)) throw error;
          await update(names, { ...o, durable: `${o.durable}-fresh` });
          await install(names, { ...o, durable: `${o.durable}-fresh` });
        }
      }),
    remove: (names, options) =>
      withLock(options, async (o) => {
        const here = await present(names);
        if (here.length === 0) return;
        const dry = await runProgram(['apt-get', '-s', '-q', '-y', 'purge', '--', ...here], { timeoutMs: 60_000 });
        const more = [...dry.stdout.matchAll(/^(?:Purg|Remv) (\S+)/gm)].map((m) => m[1] ?? '').filter((n) => !here.includes(n));
        if (more.length > 0)
          throw new TaskError('package-needed', `${here.join(', ')} cannot be purged alone: ${more.join(', ')} would go too`, {
            remedy: `remove ${more.join(', ')} yourself, or leave them all and go on`,
          });
        const argv: Argv = ['apt-get', 'purge', ...quiet, '--', ...here];
        await marked(() => run(argv, { ...o, env }));
      }),
    lockHolder: () => lockHolder(localSource),
    interrupted: () => interruptedPackages(localSource),
  };
  /** Also packages that are half installed, or removed but for their configuration, are worth a purge. */
  async function present(names: readonly string[]): Promise<string[]> {
    const r = await runProgram(['dpkg-query', '-W', '-f', '${db:Status-Abbrev}|${Package}\\n', ...names], { timeoutMs: 30_000 });
    return r.stdout.split('\n').filter((l) => l.includes('|') && l[1] !== 'n').map((l) => l.split('|')[1] ?? ''); // prettier-ignore
  }
  async function install(names: readonly string[], o: ManagerOptions): Promise<void> {
    const onLine = (line: string): void => {
      const m = /^(?:pmstatus|dlstatus):[^:]*:([\d.]+):(.*)$/.exec(line);
      if (m) o.progress?.(Math.min(1, Number(m[1]) / 100), m[2] ?? '');
    };
    const argv: Argv = ['apt-get', 'install', ...quiet, '--no-remove', '--no-install-recommends', '-o', 'Acquire::Retries=3', '--', ...names];
    const had = new Set(await archived());
    try {
      await marked(() => run(argv, { ...o, env, onLine }));
    } catch (error) {
      if (error instanceof TaskError && error.code === 'disk-full') for (const file of await archived()) if (!had.has(file)) await rm(file, { force: true }); // what was fetched for nothing is in the way of whoever frees space
      throw error;
    }
  }
  async function marked(work: () => Promise<unknown>): Promise<void> {
    await replaceFile(mark, (temporary) => writeFile(temporary, ''), { mode: 0o600 });
    await work().catch(async (error: unknown) => {
      if ((await interruptedPackages(localSource)).length === 0) await rm(mark, { force: true }); // it failed, and left nothing half done
      throw error;
    });
    await rm(mark, { force: true });
  }
  /** What a power cut left half installed in our own run is finished; anybody else's is named and left to them. */
  async function mend(o: ManagerOptions): Promise<void> {
    const broken = await interruptedPackages(localSource);
    if (broken.length === 0) return;
    if ((await statOf(mark)) === null)
      throw new TaskError('package-interrupted', `dpkg was interrupted, and left half done: ${broken.slice(0, 8).join(', ')}`, {
        remedy: 'run `dpkg --configure -a` on this machine, then retry the step',
      });
    o.progress?.(null, 'finishing what was interrupted');
    await run(['dpkg', '--configure', '-a', '--force-confold', '--force-confdef'], { ...o, durable: `${o.durable}-configure`, env });
  }
}
