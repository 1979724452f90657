import { lstat, readFile, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { bytesText, TaskError } from '@strata/tasks';

export const isDiskFull = (e: unknown): boolean => ['ENOSPC', 'EDQUOT'].includes((e as NodeJS.ErrnoException | undefined)?.code ?? '');

/** The mount that holds a path, and how much of it is free; the path need not be there yet. */
export async function spaceOf(path: string): Promise<{ mount: string; free: number; size: number }> {
  let at = path;
  while (!(await lstat(at).catch(() => null)) && at !== '/') at = dirname(at);
  const s = await statfs(at);
  const mounts = (await readFile('/proc/self/mounts', 'utf8').catch(() => '')).split('\n').map((l) => (l.split(' ')[1] ?? '/').replaceAll('\\040', ' '));
  const mount = mounts.filter((m) => m === '/' || at === m || at.startsWith(`${m}/`)).sort((a, b) => b.length - a.length)[0] ?? '/';
  return { mount, free: s.bavail * s.bsize, size: s.blocks * s.bsize };
}
/** What is free on the mounts of these paths, each once: `/var (12.0 MB of 2.0 GB free)`. */
export async function freeText(paths: readonly string[]): Promise<string> {
  const all = await Promise.all(paths.map(spaceOf));
  return [...new Map(all.map((s) => [s.mount, `${s.mount} (${bytesText(s.free)} of ${bytesText(s.size)} free)`])).values()].join(', ');
}

const reserve = 32 << 20; // journals, ledgers and logs of the machine go on meanwhile
/** @throws TaskError `disk-full` that names the mount, what is needed and what is free. Nothing was written then. */
export async function demandSpace(path: string, needed: number, what: string): Promise<void> {
  const { mount, free } = await spaceOf(path);
  if (needed === 0 || free >= needed + reserve) return;
  throw new TaskError('disk-full', `${what} need ${bytesText(needed)} in ${path}; ${bytesText(free)} are free on ${mount}, and ${bytesText(reserve)} stay in reserve`, {
    remedy: `free ${bytesText(needed + reserve - free)} on ${mount} (\`du -xh ${mount} | sort -h | tail\`), or make it larger, then retry the step`,
  });
} // prettier-ignore
/** A disk that became full in the midst of a work. */
export async function diskFullError(path: string, cause: unknown): Promise<TaskError> {
  const { mount, free } = await spaceOf(path);
  return new TaskError('disk-full', `${path} could not be written: ${mount} is full (${bytesText(free)} free)`, {
    remedy: `free space on ${mount}, then retry the step`,
    retry: true, // what filled it may go by itself, as a log does
    cause,
  });
}
