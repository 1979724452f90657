import { rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { interruptedPackages, lockHolder, TaskError } from '@strata/tasks';
import { localSource } from './fact-source';
import { replaceFile, statOf } from './files';
import { type Manager, type ManagerOptions, namesIn, type RunManager } from './packages';
import { type Argv, runProgram } from './programs';

const env = { DEBIAN_FRONTEND: 'noninteractive', NEEDRESTART_SUSPEND: '1', APT_LISTCHANGES_FRONTEND: 'none', UCF_FORCE_CONFFOLD: '1' };
const quiet = [
  '-q',
  '-y',
  '-o',
  'Dpkg::Options::=--force-confold',
  '-o',
  'Dpkg::Options::=--force-confdef',
  '-o',
  'DPkg::Lock::Timeout=120',
  '-o',
  'APT::Status-Fd=1',
];
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
    o.progress?.(null, 'reading the lists of packages');
    await run(['apt-get', 'update', '-q', '-o', 'DPkg::Lock::Timeout=120', '-o', 'Acquire::Retries=3'], { ...o, durable: `${o.durable}-update`, env });
  }
  async function waitForLock(o: ManagerOptions): Promise<void> {
    const until = Date.now() + lockWait;
    for (let holder = await lockHolder(localSource); holder !== null; holder = await lockHolder(localSource)) {
      if (Date.now() > until)
        throw new TaskError('package-lock', `dpkg's lock is held by ${holder} for more than ${lockWait / 60_000} minutes`, {
          remedy: `let it end, or stop it, then retry the step`,
          retry: true,
        });
      o.progress?.(null, `waiting for ${holder}, which holds dpkg's lock`);
      await sleep(1000, undefined, { signal: o.signal });
    }
  }
  return {
    installed: async (names) => {
      const found = names.length > 0 ? await table(names) : {};
      return Object.fromEntries(names.map((n) => [n, found[n] ?? null]));
    },
    all: () => table([]),
    install: async (names, o) => {
      await waitForLock(o);
      await mend(o);
      await refresh(names, o);
      const onLine = (line: string): void => {
        const m = /^(?:pmstatus|dlstatus):[^:]*:([\d.]+):(.*)$/.exec(line);
        if (m) o.progress?.(Math.min(1, Number(m[1]) / 100), m[2] ?? '');
      };
      await marked(() =>
        run(['apt-get', 'install', ...quiet, '--no-remove', '--no-install-recommends', '-o', 'Acquire::Retries=3', '--', ...names], { ...o, env, onLine }),
      );
    },
    remove: async (names, o) => {
      await waitForLock(o);
      await mend(o);
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
    },
    lockHolder: () => lockHolder(localSource),
    interrupted: () => interruptedPackages(localSource),
  };
  /** Also packages that are half installed, or removed but for their configuration, are worth a purge. */
  async function present(names: readonly string[]): Promise<string[]> {
    const r = await runProgram(['dpkg-query', '-W', '-f', '${db:Status-Abbrev}|${Package}\\n', ...names], { timeoutMs: 30_000 });
    return r.stdout.split('\n').filter((l) => l.includes('|') && l[1] !== 'n').map((l) => l.split('|')[1] ?? ''); // prettier-ignore
  }
  async function marked(work: () => Promise<unknown>): Promise<void> {
    await replaceFile(mark, (temporary) => writeFile(temporary, ''), { mode: 0o600 });
    await work();
    await rm(mark, { force: true });
  }
  /** What a power cut left half installed in our own run is finished; anybody else's is named and left to them. */
  async function mend(o: ManagerOptions): Promise<void> {
    const broken = await interruptedPackages(localSource);
    if (broken.length === 0) return;
    if ((await statOf(mark)) === null)
      throw new TaskError('package-interrupted', `dpkg was interrupted: ${broken.join(', ')} are half installed`, {
        remedy: 'run `dpkg --configure -a` on this machine, then retry the step',
      });
    o.progress?.(null, 'finishing what was interrupted');
    await run(['dpkg', '--configure', '-a', '--force-confold', '--force-confdef'], { ...o, durable: `${o.durable}-configure`, env });
  }
}
