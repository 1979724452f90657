import { NodeName } from '@strata/model';
import { z } from 'zod';
import { treeFolders } from '../native/localfs-layout';
import type { Host } from '../ports/host';
import { TaskError } from '../task-error';
import { isShared } from './mounted';

/** Where the shared tree is mounted while it is filled, beside the path that still shows the machine's own. Outside of what goes with the agent. */
export const sidePath = '/var/lib/strata-view';
export const sideUnit = 'strata-view.service';
/** Where a machine's own tree lies from the cutover until `strata storage commit`. Beside the path: a rename, whatever its size. */
export const asideOf = (path: string): string => `${path}.before-migration`;
/** Trees of other nodes than the source, in the shared one. */
export const ofNode = (root: string, node: string): string => `${root}/.nodes/${NodeName.parse(node)}`;
/** In the root of the shared tree, and nobody's data: ours, and files that JuiceFS makes up (a read of its access log never ends). */
export const reserved: readonly string[] = ['.strata', '.nodes', '.trash', '.accesslog', '.stats', '.config'];
/** Scratch of this machine; goes with the agent. */
export const scratch = '/var/lib/strata/migration';

/** What this machine has behind it: passes of the copy by run, and that old and new tree were found equal. */
const Note = z.strictObject({
  passes: z.array(z.string()).default([]),
  verified: z.strictObject({ sha256: z.string(), entries: z.int() }).nullable().default(null),
});
export type MigrationNote = z.infer<typeof Note>;
const noteFile = '/var/lib/strata/notes/migration.json';
export async function noteOf(host: Host): Promise<MigrationNote> {
  const text = await host.files.read(noteFile);
  return Note.parse(text === null ? {} : JSON.parse(text));
}
export const keepNote = (host: Host, note: MigrationNote): Promise<void> => host.files.write(noteFile, JSON.stringify(note), { mode: 0o600 });
export const dropNote = (host: Host): Promise<void> => host.files.remove(noteFile);
export async function notePass(host: Host, pass: string): Promise<void> {
  const note = await noteOf(host);
  if (!note.passes.includes(pass)) await keepNote(host, { ...note, passes: [...note.passes, pass] });
}

/** Whether nobody has put anything there: folders that a layout makes are nothing. */
export async function isBare(host: Host, root: string): Promise<boolean> {
  for (const name of await namesIn(host, root)) {
    if (reserved.includes(name)) continue;
    if (!treeFolders.includes(name) || (await namesIn(host, `${root}/${name}`)).length > 0) return false;
  }
  return true;
}
/** What is in a folder, nothing where there is none; of a shared one asked by a program that may be ended: a file system that hangs must not hold the agent. */
export async function namesIn(host: Host, folder: string): Promise<string[]> {
  const shared = (await host.mounts.list()).some((m) => isShared(m.type) && (folder === m.path || folder.startsWith(`${m.path}/`)));
  if (!shared) return (await host.files.stat(folder)) === null ? [] : host.files.list(folder);
  const { code, stdout, stderr } = await host.programs.run(['find', folder, '-mindepth', '1', '-maxdepth', '1', '-printf', '%f\\0'], { timeoutMs: 60_000 });
  if (code === 0) return stdout.split('\0').filter(Boolean);
  if (stderr.includes('No such file')) return [];
  throw new TaskError('view-unreadable', `${folder} cannot be read: ${stderr.trim().slice(0, 300)}`, {
    remedy: 'see `journalctl -u strata-juicefs` and `journalctl -u strata-view` on this machine, then retry the step',
    retry: true,
  });
}
