import { z } from 'zod';
import { defineTask, type NodeContext } from '../define-task';
import { blocker } from '../native/findings';
import { treeFolders } from '../native/localfs-layout';
import { FolderBefore, folderBefore } from '../orchestration/own-folder';
import { FileImages, imagesOf, writeAll } from '../orchestration/written-files';
import type { Host } from '../ports/host';
import { TaskError } from '../task-error';
import { begin, endUnits, halt, idle } from '../service-units';
import { mountFiles, MountInput, otherSettings, prunedUpdatedb, secretsText, updatedb } from './mount-files';
import { isShared, looked, mark, mountType, mustBeShared } from './mounted';
import { closedRemedy } from './metadata-redis';
import { takeAway } from './service';
import { untilUploaded } from './staging';
import { mountPaths as paths, systemdFolder } from './storage-paths';

const device = '/dev/fuse';
type Context = Pick<NodeContext<MountInput>, 'host' | 'input' | 'secret'>;
/** What users of the tree may rely on, as with a local one. */
const folders = (path: string): string[] => treeFolders.map((name) => `${path}/${name}`);

const other = (c: Context): Promise<string | null> => otherSettings(c, mountFiles(c.input), paths);
async function wrong(c: Context): Promise<string | null> {
  const words = (await other(c)) ?? (await idle(c.host, [paths.unit]));
  if (words !== null) return words;
  if (!isShared(await mountType(c.host, c.input.path))) return `${c.input.path} is not mounted`;
  if (prunedUpdatedb((await c.host.files.read(updatedb)) ?? '') !== null) return 'locate would read the whole tree';
  return looked(c.host, [c.input.path, ...folders(c.input.path)]);
}
/** What would be hidden below the mount, or is in its place. */
async function inTheWay(host: Host, path: string): Promise<{ message: string; remedy: string } | null> {
  const type = await mountType(host, path);
  if (isShared(type)) return null;
  if (type !== null) return { message: `something of type ${type} is mounted at ${path}`, remedy: `unmount it, or choose another \`storage.path\`` };
  for (const name of await host.files.list(path)) {
    const below = treeFolders.includes(name) ? await host.files.list(`${path}/${name}`) : ['.'];
    if (below.length > 0)
      return {
        message: `${path}/${name} is data of this machine: the shared file system would hide it`,
        remedy: 'move it away and copy it into the shared path afterwards, or choose another `storage.path`',
      };
  }
  return null;
}
/** What is filled: our settings, and the cache. */
async function foldersBefore(host: Host, cache: string): Promise<Record<string, FolderBefore>> {
  return { [paths.folder]: await folderBefore(host, paths.folder), [cache]: await folderBefore(host, cache) };
}

/** The shared file system at the same path as on all other nodes, ahead of kubelet. */
export const juicefsMount = defineTask({
  name: 'juicefs.mount', version: 1, layer: 'native', timeout: '4m', timeoutFrom: 'progress', attempts: 3,
  title: 'The shared file system is mounted',
  input: MountInput,
  before: z.strictObject({ images: FileImages, folders: z.record(z.string(), FolderBefore), path: z.string(), there: z.boolean() }),
  output: z.strictObject({ path: z.string() }),
  async check(c) {
    const { host, input } = c;
    const blocked = await inTheWay(host, input.path);
    if (blocked) return { state: 'refused', findings: [blocker('storage.path-taken', blocked.message, blocked.remedy)] };
    const closed = (await host.files.read(paths.closed))?.trim();
    if (closed !== undefined) return { state: 'refused', findings: [blocker('storage.went-back', closed, closedRemedy)] };
    const reason = await wrong(c);
    if (reason === null) return { state: 'satisfied', output: { path: input.path } };
    const file = `${systemdFolder}/${paths.unit}`;
    const there = (await host.files.stat(file)) !== null;
    const images = there ? { files: [] } : await imagesOf(host, [updatedb, input.path, input.cache.path, file, `${systemdFolder}/${paths.markUnit}`]);
    return { state: 'unsatisfied', reason, before: { images, folders: there ? {} : await foldersBefore(host, input.cache.path), path: input.path, there } };
  },
  async apply(c) {
    const { host, input, secret } = c;
    if ((await host.files.stat(device)) === null)
      throw new TaskError('no-fuse', `this machine has no ${device}, which the shared file system needs`, {
        remedy: 'load the module fuse; in a container let its host give it the device (Proxmox: `features: fuse=1`, LXC: lxc.mount.entry), then retry the step',
      });
    if ((await other(c)) !== null) {
      await untilUploaded(c, input.cache.path); // a mount that is begun without writeback forgets what an earlier one left
      await halt(host, [paths.unit]);
      await host.files.mkdir(paths.folder, { mode: 0o700 });
      await host.files.write(paths.secrets, secretsText(input, paths, secret(input.password)), { mode: 0o600 });
      await writeAll(host, mountFiles(input));
    }
    const pruned = prunedUpdatedb((await host.files.read(updatedb)) ?? '');
    if (pruned !== null) await host.files.write(updatedb, pruned);
    if ((await mountType(host, input.path)) !== null) return;
    await host.files.mkdir(input.path);
    await mark(host, '+i', input.path);
  },
  async verify({ host, input, log }) {
    await begin(host, [paths.unit], log);
    await mustBeShared(host, input.path);
    await host.files.mkdir(input.path, { mode: 0o755 }); // a volume begins with 0777
    for (const folder of folders(input.path)) if ((await host.files.stat(folder)) === null) await host.files.mkdir(folder, { mode: 0o755 });
  },
  async undo({ before, ...c }) {
    const { host, log } = c;
    if (before.there) return log('it was mounted before this run, and stays');
    for (const cache of Object.keys(before.folders).filter((folder) => folder !== paths.folder)) await untilUploaded(c, cache);
    await endUnits(host, [paths.markUnit, paths.unit]);
    if ((await mountType(host, before.path)) !== null) await host.mounts.unmount(before.path, { detach: true });
    await mark(host, '-i', before.path);
    await takeAway(host, [paths.markUnit, paths.unit], before);
  },
}); // prettier-ignore
