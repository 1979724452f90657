import { readdir } from 'node:fs/promises';
import type { Packages, ProgramResult } from '@strata/tasks';
import { packageManager, TaskError } from '@strata/tasks';
import { aptPackages } from './apt';
import { aptTrouble } from './apt-words';
import { freeText } from './disk-space';
import { dnfPackages } from './dnf';
import { runDurable } from './durable';
import { localSource } from './fact-source';
import type { LocalHostOptions } from './options';
import { type Argv, tail } from './programs';

export interface ManagerOptions {
  durable: string;
  progress?: (fraction: number | null, note: string) => void;
  signal?: AbortSignal;
  log?: (line: string) => void;
}
/** One package manager behind the port. */
export type Manager = Omit<Packages, 'manager' | 'install'> & { install(names: readonly string[], options: ManagerOptions): Promise<void> };
/** Runs a package manager's program, durably, and throws with its last words if it fails. */
export type RunManager = (argv: Argv, options: ManagerOptions & { env?: Record<string, string>; onLine?: (line: string) => void }) => Promise<ProgramResult>;

/** What a package manager says that tells what it did: not its bars, its reading of lists, or each file that it unpacks. */
export const worthKeeping = (line: string): boolean =>
  /^(Get:\d|Err:\d|[EWN]: |Fetched |Need to get |After this operation|\d+ (newly installed|upgraded|to remove)|Setting up |Purging configuration|Removing |dpkg: |Installing|Upgrading|Error)/.test(
    line.trim(),
  );
const mostLines = 200; // of one program
const quietMs = 30 * 60_000;
const longestMs = 24 * 3_600_000;

/** apt or dnf, whichever this machine has. Their programs have all the time they need as long as they say something: half an hour of silence ends them. */
export function localPackages(host: LocalHostOptions): Packages {
  const run: RunManager = async (argv, o) => {
    const quiet = new AbortController();
    let lines = 0;
    const silent = (): void => quiet.abort();
    let timer = setTimeout(silent, quietMs);
    const onLine = (line: string): void => {
      clearTimeout(timer);
      timer = setTimeout(silent, quietMs);
      if (worthKeeping(line) && (lines += 1) <= mostLines) host.log?.(lines < mostLines ? line.trim() : '… it says more, which is not kept');
      o.onLine?.(line);
    };
    const signal = o.signal ? AbortSignal.any([o.signal, quiet.signal]) : quiet.signal;
    const result = await runDurable(argv, { ...o, signal, timeoutMs: longestMs, onLine, withMachineProxy: true }, host)
      .catch((cause: unknown) => {
        if (!quiet.signal.aborted) throw cause;
        throw new TaskError('timeout', `\`${shown(argv)}\` was ended: it said nothing for ${quietMs / 60_000} minutes`, {
          remedy: 'look at the load, the disk and the network of this machine, then retry the step',
          retry: true,
          cause,
        });
      })
      .finally(() => clearTimeout(timer));
    if (result.code === 0) return result;
    const why = aptTrouble(`${result.stderr}\n${result.stdout}`);
    if (why) throw why.code === 'disk-full' ? await withFigures(why) : why;
    throw new TaskError('package-failed', `\`${shown(argv)}\` ended with exit status ${result.code}`, {
      remedy: 'read its output in the log of this step, mend the cause (sources, network, disk), then retry the step',
      retry: true,
      detail: tail(result.stderr || result.stdout),
    });
  };
  const managers = { apt: aptPackages(run, host.stateDir), dnf: dnfPackages(run) };
  const own = async (): Promise<Manager> => {
    const name = await packageManager(localSource);
    if (name) return managers[name];
    throw new TaskError('no-package-manager', 'this machine has neither apt nor dnf', { remedy: 'use a Debian, Ubuntu or Fedora-like system' });
  };
  return {
    manager: () => packageManager(localSource),
    installed: async (names) => (await own()).installed(names),
    all: async () => (await own()).all(),
    install: async (names, o) => (await own()).install(names, { log: host.log, ...o }),
    remove: async (names, o) => (await own()).remove(names, o),
    lockHolder: async () => (await own()).lockHolder(),
    interrupted: async () => (await own()).interrupted(),
  };
}
const shown = (argv: Argv): string => argv.filter((a) => !a.startsWith('-')).join(' ');
/** apt names one file system at most; three may be the one. */
async function withFigures(why: TaskError): Promise<TaskError> {
  const free = await freeText(['/var/cache/apt/archives', '/var/lib/dpkg', '/usr']);
  return new TaskError(why.code, `${why.message}. ${free}`, { remedy: why.remedy, detail: why.detail });
}
export const namesIn = (dir: string): Promise<string[]> => readdir(dir).catch(() => []);
