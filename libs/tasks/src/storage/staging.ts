import type { Common } from '../define-task';
import type { Host } from '../ports/host';
import { must } from '../programs';
import { TaskError } from '../task-error';
import { mountPaths as paths } from './storage-paths';

const lookEveryMs = 2_000;
/** So long nothing may go up before somebody has to look (ms). */
const stillMs = 60_000;

/** Blocks in the cache that are not in the bucket yet, as `storage.cache.writeback` leaves them for a while: where JuiceFS keeps them below its cache. */
async function staged(host: Host, cache: string): Promise<{ blocks: number; bytes: number }> {
  if ((await host.files.stat(cache)) === null) return { blocks: 0, bytes: 0 };
  let [blocks, bytes] = [0, 0];
  const onLine = (line: string): void => void ([blocks, bytes] = [blocks + 1, bytes + (Number(line) || 0)]);
  await must(host, ['find', cache, '-path', '*/rawstaging/*', '-type', 'f', '-printf', '%s\\n'], { timeoutMs: 300_000, onLine });
  return { blocks, bytes };
}

/**
 * Nothing waits for the bucket any more: whoever empties the cache, or ends for good the mount that brings it there, waits for that first. It takes as long as
 * it goes on. @throws TaskError when nothing has gone up for a minute
 */
export async function untilUploaded({ host, clock, progress, signal }: Pick<Common, 'clock' | 'progress' | 'signal'> & { host: Host }, cache: string): Promise<void> {
  let [least, since] = [Infinity, clock.now()];
  for (;;) {
    const { blocks, bytes } = await staged(host, cache);
    if (blocks === 0) return;
    if (blocks < least) [least, since] = [blocks, clock.now()];
    progress(null, `${blocks} blocks (${bytes} bytes) of this machine are not in the bucket yet`);
    if (clock.now() - since >= stillMs)
      throw new TaskError('not-uploaded', `${blocks} blocks (${bytes} bytes) that were written on this machine are not in the bucket, and none went there for ${stillMs / 1000} s; they are in ${cache}/*/rawstaging, and nothing was taken away`, {
        remedy: `see that the objects answer and that ${paths.unit} runs (strata storage status), then retry the step; to give these bytes up, delete that folder first`,
        retry: true,
      });
    await clock.sleep(lookEveryMs, signal);
  }
} // prettier-ignore
