import { randomUUID } from 'node:crypto';
import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const pollMs = 200;

/**
 * Runs `work` while this process holds the lock file `path`; others, in this process or another, wait. A lock whose process is dead (pid and
 * start time) is taken over. `onWait` is told once whom we wait for. Rejects with the signal's reason when aborted while waiting.
 */
export async function withLockFile<T>(
  path: string,
  work: () => Promise<T>,
  options: { signal?: AbortSignal; onWait?: (pid: number) => void } = {},
): Promise<T> {
  await mkdir(dirname(path), { recursive: true });
  const mine = `${process.pid} ${(await startTimeOf(process.pid)) ?? '-'} ${randomUUID()}`;
  const draft = `${path}.${process.pid}.${randomUUID()}`;
  await writeFile(draft, mine, { mode: 0o600 });
  try {
    for (let waited = false; ; waited = true) {
      options.signal?.throwIfAborted();
      if (await tryLink(draft, path)) break;
      const holder = await read(path);
      if (holder === undefined) continue;
      if (!(await isAlive(holder))) {
        await takeAway(path, holder);
        continue;
      }
      if (!waited) options.onWait?.(pidOf(holder));
      await sleep(pollMs, undefined, options.signal ? { signal: options.signal } : {});
    }
  } finally {
    await rm(draft, { force: true });
  }
  try {
    return await work();
  } finally {
    if ((await read(path)) === mine) await rm(path, { force: true });
  }
}

/** Start time of a process in clock ticks since boot, which tells two processes with one pid apart. Undefined when there is no such process. */
export async function startTimeOf(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
}

const pidOf = (holder: string): number => Number(holder.split(' ')[0]);

async function isAlive(holder: string): Promise<boolean> {
  const [pid, start] = holder.split(' ');
  const now = await startTimeOf(Number(pid));
  return now !== undefined && (start === '-' || now === start);
}

/** Moves a dead lock aside. When another process has just put its own lock there, that one is put back. */
async function takeAway(path: string, dead: string): Promise<void> {
  const aside = `${path}.stale.${randomUUID()}`;
  const moved = await rename(path, aside).then(
    () => true,
    () => false,
  );
  if (!moved) return;
  if ((await read(aside)) !== dead) await tryLink(aside, path);
  await rm(aside, { force: true });
}

async function tryLink(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function read(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
}
