import { NodeName } from '@strata/model';
import type { Host } from '../ports/host';
import { must } from '../programs';
import { TaskError } from '../task-error';

/** Where each node's file of the shared view is: names that stay, so that nothing piles up. */
export const viewFile = (path: string, node: string): string => `${path}/.strata/view/${NodeName.parse(node)}`;

const answerMs = 30_000;
/** Where a file is while it is written. */
export const partOf = (file: string): string => `${file}.part`;
/**
 * Writes a node's file, flushed to the objects and renamed into place, by programs that may be ended: a file system that hangs must not hold the agent.
 * @throws TaskError when one of them fails or is not done in time
 */
export async function writeThere(host: Host, file: string, text: string): Promise<void> {
  const remedy = 'see `journalctl -u strata-juicefs` on this machine, and whether metadata and objects run (`strata doctor`); then try again';
  const part = partOf(file);
  await must(host, ['mkdir', '-p', '--', file.slice(0, file.lastIndexOf('/'))], { timeoutMs: answerMs, remedy });
  await must(host, ['dd', `of=${part}`, 'conv=fsync', 'status=none'], { timeoutMs: answerMs, remedy, input: text });
  await must(host, ['mv', '-fT', '--', part, file], { timeoutMs: answerMs, remedy });
}

/** What a node's file says, read by a program that may be ended; null where there is none or it cannot be read. */
export async function saidIn(host: Host, file: string): Promise<string | null> {
  const { code, stdout } = await host.programs.run(['head', '-c', '300', '--', file], { timeoutMs: answerMs });
  return code === 0 ? stdout : null;
}

/**
 * The digest of a node's file as this machine sees it, read by a program that may be ended; null where there is none.
 * @throws TaskError when it cannot be read
 */
export async function seen(host: Host, file: string): Promise<string | null> {
  const { code, stdout, stderr } = await host.programs.run(['sha256sum', '--', file], { timeoutMs: answerMs });
  if (code === 0) return stdout.slice(0, 64);
  if (stderr.includes('No such file')) return null;
  throw new TaskError('view-unreadable', `${file} cannot be read: ${stderr.trim().slice(0, 300)}`, {
    remedy: 'see `journalctl -u strata-juicefs` on this machine, then apply again',
    retry: true,
  });
}
