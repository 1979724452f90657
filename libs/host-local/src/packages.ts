import { readdir } from 'node:fs/promises';
import type { Packages, ProgramResult } from '@strata/tasks';
import { packageManager, TaskError } from '@strata/tasks';
import { aptPackages } from './apt';
import { dnfPackages } from './dnf';
import { runDurable } from './durable';
import { localSource } from './fact-source';
import type { LocalHostOptions } from './options';
import { type Argv, tail } from './programs';

export interface ManagerOptions {
  durable: string;
  progress?: (fraction: number | null, note: string) => void;
  signal?: AbortSignal;
}
/** One package manager behind the port. */
export type Manager = Omit<Packages, 'manager'>;
/** Runs a package manager's program, durably, and throws with its last words if it fails. */
export type RunManager = (argv: Argv, options: ManagerOptions & { env?: Record<string, string>; onLine?: (line: string) => void }) => Promise<ProgramResult>;

/** apt or dnf, whichever this machine has. Programs time out after half an hour. */
export function localPackages(host: LocalHostOptions): Packages {
  const run: RunManager = async (argv, o) => {
    const onLine = (line: string): void => {
      if (!/^(dl|pm)status:/.test(line)) host.log?.(line); // those are for progress
      o.onLine?.(line);
    };
    const result = await runDurable(argv, { ...o, timeoutMs: 30 * 60_000, onLine }, host);
    if (result.code === 0) return result;
    throw new TaskError('package-failed', `\`${argv.filter((a) => !a.startsWith('-')).join(' ')}\` ended with exit status ${result.code}`, {
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
    install: async (names, o) => (await own()).install(names, o),
    remove: async (names, o) => (await own()).remove(names, o),
    lockHolder: async () => (await own()).lockHolder(),
    interrupted: async () => (await own()).interrupted(),
  };
}
export const namesIn = (dir: string): Promise<string[]> => readdir(dir).catch(() => []);
