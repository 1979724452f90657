import { PlainPath } from '@strata/model';
import { z } from 'zod';
import { type Common, defineTask } from '../define-task';
import type { Host } from '../ports/host';
import { halt } from '../service-units';
import { TaskError } from '../task-error';
import { isShared, mountType } from './mounted';
import { RunId } from './run-id';
import { untilUploaded } from './staging';
import { mountPaths as paths } from './storage-paths';

/** The slice that a block belongs to, by its name `ID_INDEX_SIZE`; 0 for anything else. */
export const sliceOf = (block: string): number => Number(/(?:^|\/)(\d+)_\d+_\d+$/.exec(block)?.[1] ?? 0);

async function highestIn(host: Host, cache: string): Promise<number> {
  let highest = 0;
  const onLine = (line: string): void => void (highest = Math.max(highest, sliceOf(line)));
  if ((await host.files.stat(cache)) !== null) await host.programs.run(['find', cache, '-type', 'f', '-printf', '%f\\n'], { timeoutMs: 300_000, onLine });
  return highest;
}
const noted = async (host: Host): Promise<number> => Number((await host.files.read(paths.seen))?.trim() ?? 0) || 0;

async function here(host: Host, input: { path: string; cache: string }): Promise<string | null> {
  if ((await host.units.state(paths.unit)).active === 'active') return `${paths.unit} runs`;
  if (isShared(await mountType(host, input.path))) return `${input.path} is mounted`;
  if ((await host.files.stat(paths.beat)) !== null || (await host.files.stat(paths.closed)) !== null) return 'it holds this node to what it saw';
  return (await host.files.list(input.cache)).length === 0 ? null : `${input.cache} holds blocks`;
}

/** Ends the mount and every process of it, and empties the cache, in which nothing waits for the bucket. @throws TaskError while some process still has the file system mounted */
export async function leave(c: Pick<Common, 'clock' | 'progress' | 'signal' | 'log'> & { host: Host }, { path, cache }: { path: string; cache: string }): Promise<void> {
  const { host, log } = c;
  await untilUploaded(c, cache);
  await halt(host, [paths.markUnit, paths.unit]);
  if (isShared(await mountType(host, path))) await host.mounts.unmount(path, { detach: true });
  const alive = await host.programs.run(['pgrep', '-a', '-f', `^${paths.binary} mount `], { timeoutMs: 10_000 });
  if (alive.code === 0)
    throw new TaskError('mount-lives', `a mount of the shared file system still runs on this machine: ${alive.stdout.trim().split('\n')[0]?.slice(0, 200) ?? ''}`, {
      remedy: "end that process (a mount made by hand is none of Strata's), then retry the step",
      retry: true,
    });
  const [was, highest] = [await noted(host), await highestIn(host, cache)];
  if (highest > was) await host.files.write(paths.seen, `${highest}\n`, { mode: 0o600 });
  for (const note of [paths.closed, paths.beat]) await host.files.remove(note); // it may see an older tree now
  for (const name of await host.files.list(cache)) await host.files.remove(`${cache}/${name}`, { recursive: true });
  log(`the cache is empty; its highest slice was ${highest}`);
} // prettier-ignore

/**
 * The node gives up all that it knows of the shared file system: its mount, every process of it, and its cache, whose blocks would be taken for others'.
 * The highest slice that it knew of is kept: nothing new may have its number.
 */
export const storageLeave = defineTask({
  name: 'storage.leave', version: 1, layer: 'native', timeout: '10m', timeoutFrom: 'progress', attempts: 3,
  title: 'The node has left the shared file system',
  input: z.strictObject({ run: RunId, path: PlainPath, cache: PlainPath }),
  before: z.strictObject({}),
  output: z.strictObject({ seen: z.int() }),
  async check({ host, input }) {
    const reason = await here(host, input);
    return reason === null ? { state: 'satisfied', output: { seen: await noted(host) } } : { state: 'unsatisfied', reason, before: {} };
  },
  apply: (c) => leave(c, c.input),
  undo: { never: 'the node mounts again by `juicefs.mount`' },
}); // prettier-ignore
