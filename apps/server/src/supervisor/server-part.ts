import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Settings } from '../settings';
import type { Part } from './keeper';
import type { Logs } from './logs';
import { findProcesses, gone, signal, type ProcessId } from './processes';

const mark = 'STRATA_STARTED_AS'; // in the server's environment: which settings and which program it was started with
const stop = { signal: 'SIGTERM', deadlineMs: 10_000, thenSignal: 'SIGKILL' } as const;

export interface ServerPartOptions {
  settings: Settings;
  flags: readonly string[]; // as given to the supervisor
  entry: string; // the program's file, which knows the command `serve`
  logs: Logs;
  /** Resolves when what the server needs does its work. */
  needs: () => Promise<unknown>;
}

/** The control server itself. */
export function serverPart({ settings, flags, entry, logs, needs }: ServerPartOptions): Part {
  const ports = join(settings.home, 'run/ports.json');
  const { size, mtimeMs } = statSync(entry);
  const startedAs = createHash('sha256').update(JSON.stringify([settings, flags, entry, size, mtimeMs])).digest('hex'); // prettier-ignore
  const living = (): ProcessId[] =>
    findProcesses(
      (argv) => argv.includes('serve') && argv[argv.indexOf('--home') + 1] === settings.home && basename(argv[0] ?? '') === basename(process.execPath),
      settings.home,
    );
  const asNow = (id: ProcessId): boolean => {
    try {
      return readFileSync(`/proc/${id.pid}/environ`, 'utf8').split('\0').includes(`${mark}=${startedAs}`);
    } catch {
      return false;
    }
  };
  return {
    name: 'server',
    find: () => living().find(asNow),
    prepare: async (stopping) => {
      for (const other of living()) {
        logs.say(`server: process ${other.pid} was started from other settings or another version: it is replaced`);
        signal(other, stop.signal);
        if (await gone(other, stop.deadlineMs)) continue;
        signal(other, stop.thenSignal);
        await gone(other, stop.deadlineMs);
      }
      await Promise.race([needs(), aborted(stopping)]);
      rmSync(ports, { force: true }); // those of the server before
      return {
        program: process.execPath,
        args: [...process.execArgv, entry, 'serve', '--home', settings.home, ...flags],
        cwd: settings.home,
        env: { NODE_COMPILE_CACHE: join(settings.home, 'run/compiled'), ...process.env, [mark]: startedAs }, // compiled once: a fifth less time to start, 60 MB less memory
      };
    },
    answers: async () => existsSync(ports),
    stop,
  };
}

/** Rejects when the signal fires. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }));
}
