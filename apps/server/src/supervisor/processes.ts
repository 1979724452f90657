import { readFileSync, readdirSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** A process that cannot be mistaken for a later one with the same number: a pid is given again, a pid with its start time is not. */
export interface ProcessId {
  pid: number;
  started: string; // boot id and clock ticks since that boot
}

let boot: string | undefined; // the same for as long as we live
const bootId = (): string => (boot ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim());

/** The process with this number now; undefined if there is none, or only its remains (a zombie). */
export function processOf(pid: number): ProcessId | undefined {
  const known = read(pid);
  return known && { pid, started: known.started };
}
function read(pid: number): (ProcessId & { parent: number }) | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' '); // from field 3 on; the name before may hold anything
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
    return { pid, started: `${bootId()}/${fields[19]}`, parent: Number(fields[1]) };
  } catch {
    return undefined;
  }
}
export const lives = (id: ProcessId): boolean => processOf(id.pid)?.started === id.started;

/** What a process was started with; empty if it is gone. */
export function argumentsOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
  } catch {
    return [];
  }
}

/**
 * The processes whose arguments satisfy `matches`, and that run as the owner of the file `ownedLike`: anybody may call himself as he likes.
 * The forks of one of them (Redis writes its file in a fork) do not count.
 */
export function findProcesses(matches: (argv: string[]) => boolean, ownedLike?: string): ProcessId[] {
  const owner = ownedLike === undefined ? undefined : statSync(ownedLike, { throwIfNoEntry: false })?.uid;
  if (ownedLike !== undefined && owner === undefined) return [];
  const found = readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry) && matches(argumentsOf(Number(entry))))
    .flatMap((entry) => read(Number(entry)) ?? [])
    .filter(({ pid }) => owner === undefined || statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid === owner);
  return found.filter(({ parent }) => !found.some(({ pid }) => pid === parent)).map(({ pid, started }) => ({ pid, started }));
}

/** Waits until the process is gone. False: it was still there after `ms`. */
export async function gone(id: ProcessId, ms: number): Promise<boolean> {
  for (const until = performance.now() + ms; lives(id); await sleep(50)) if (performance.now() > until) return false;
  return true;
}

/** Sends a signal to exactly this process; one that is gone already is no error. */
export function signal(id: ProcessId, name: NodeJS.Signals): void {
  if (!lives(id)) return;
  try {
    process.kill(id.pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
