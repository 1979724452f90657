import type { Host } from '../ports/host';
import { TaskError } from '../task-error';

const answerMs = 20_000;

/** What is mounted at a path, the uppermost: its type, or null. */
export const mountType = async (host: Host, path: string): Promise<string | null> => (await host.mounts.list()).findLast((m) => m.path === path)?.type ?? null;
export const isShared = (type: string | null): boolean => type === 'fuse.juicefs';

/** Nothing is ever written into the folder while it is not mounted; where a file system knows no such mark, that is so. */
export async function mark(host: Host, sign: '+i' | '-i', path: string): Promise<void> {
  if (await host.programs.which('chattr')) await host.programs.run(['chattr', sign, path], { timeoutMs: 10_000 });
}

/**
 * Asks a program for what it would do itself: a file system whose server hangs can hold whoever looks at it for good, and that must not be this process.
 * Gives null when all of the paths are there, else the words.
 */
export async function looked(host: Host, paths: readonly string[]): Promise<string | null> {
  try {
    const { code, stderr } = await host.programs.run(['stat', '--format=%F', '--', ...paths], { timeoutMs: answerMs });
    return code === 0 ? null : (stderr.trim().split('\n')[0] ?? '') || `stat ended with ${code}`;
  } catch (error) {
    if (!(error instanceof TaskError)) throw error;
    return `the file system does not answer within ${answerMs / 1000} s (${error.message})`;
  }
}

/** @throws TaskError unless the shared file system is mounted there and answers. */
export async function mustBeShared(host: Host, path: string): Promise<void> {
  const type = await mountType(host, path);
  const words = isShared(type)
    ? await looked(host, [path])
    : `${path} is ${type === null ? 'not mounted' : `a mount of type ${type}`}, not the shared file system`;
  if (words !== null) throw new TaskError('not-shared', words, { remedy: 'see `journalctl -u strata-juicefs` on this machine, then apply again', retry: true });
}
