import { z } from 'zod';
import { defineTask, type NodeContext } from '../define-task';
import { FolderBefore, folderBefore } from '../orchestration/own-folder';
import { FileImages, imagesOf, writeAll, type WrittenFile } from '../orchestration/written-files';
import type { Host } from '../ports/host';
import { begin, endUnits, halt, idle } from '../service-units';
import { sidePath, sideUnit } from './migration';
import { certificateFiles, mountService, otherSettings, secretsText, TreeInput } from './mount-files';
import { looked, mountType, isShared, mustBeShared } from './mounted';
import { takeAway } from './service';
import { storageFolder, systemdFolder } from './storage-paths';

const folder = `${storageFolder}/view`;
const paths = { secrets: `${folder}/env`, ca: `${folder}/ca.pem`, objectsCa: `${folder}/objects-ca.pem`, trust: `${folder}/trust.pem` };
type Input = z.infer<typeof TreeInput>;
type Context = Pick<NodeContext<Input>, 'host' | 'input' | 'secret'>;

/** For the time of a migration: nothing waits for it, and its cache is in memory. */
const unit = (i: Input): string => `# Written by Strata
[Unit]
Description=The shared file system while it is filled (JuiceFS)
Wants=network-online.target
After=network-online.target strata-tunnel.service strata-metadata.service strata-objects.service strata-minio.service
StartLimitIntervalSec=0

${mountService(i, paths, { path: sidePath, cache: '--cache-dir memory --cache-size 100' })}`;
const files = (i: Input): WrittenFile[] => [{ path: `${systemdFolder}/${sideUnit}`, content: unit(i) }, ...certificateFiles(i, paths)];
const wrong = (c: Context): Promise<string | null> => otherSettings(c, files(c.input), paths);

async function away(c: Context): Promise<string | null> {
  const words = (await wrong(c)) ?? (await idle(c.host, [sideUnit]));
  if (words !== null) return words;
  return isShared(await mountType(c.host, sidePath)) ? looked(c.host, [sidePath]) : `${sidePath} is not mounted`;
}
/** Ends the mount; the folder goes only when nothing is mounted there: what is below is everybody's data. */
async function end(host: Host): Promise<void> {
  await endUnits(host, [sideUnit]);
  if ((await mountType(host, sidePath)) !== null) await host.mounts.unmount(sidePath, { detach: true });
}

/** The shared tree beside the machine's own, on every node: it is filled there, and each node has proved that it can mount before anybody stops. */
export const juicefsSideMount = defineTask({
  name: 'juicefs.side-mount', version: 1, layer: 'native', timeout: '4m', attempts: 3,
  title: 'The shared file system is mounted beside the old tree',
  input: TreeInput,
  before: z.strictObject({ images: FileImages, folders: z.record(z.string(), FolderBefore), there: z.boolean() }),
  output: z.strictObject({}),
  async check(c) {
    const reason = await away(c);
    if (reason === null) return { state: 'satisfied', output: {} };
    const file = `${systemdFolder}/${sideUnit}`;
    const images = await imagesOf(c.host, [sidePath, file]);
    return { state: 'unsatisfied', reason, before: { images, folders: { [folder]: await folderBefore(c.host, folder) }, there: false } };
  },
  async apply(c) {
    const { host, input, secret } = c;
    if ((await wrong(c)) !== null) {
      await halt(host, [sideUnit]);
      await host.files.mkdir(folder, { mode: 0o700 });
      await host.files.write(paths.secrets, secretsText(input, paths, secret(input.password)), { mode: 0o600 });
      await writeAll(host, files(input));
    }
    if ((await mountType(host, sidePath)) === null) await host.files.mkdir(sidePath, { mode: 0o700 });
  },
  async verify({ host, log }) {
    await begin(host, [sideUnit], log);
    await mustBeShared(host, sidePath);
  },
  async undo({ host, before }) {
    await end(host);
    await takeAway(host, [sideUnit], before);
  },
}); // prettier-ignore

/** When all nodes show the shared tree at its path, nobody needs it twice. */
export const juicefsSideUnmount = defineTask({
  name: 'juicefs.side-unmount', version: 1, layer: 'native', timeout: '2m', attempts: 3,
  title: 'The shared file system is mounted once',
  input: z.strictObject({}),
  before: z.strictObject({}),
  output: z.strictObject({}),
  async check({ host }) {
    const there = (await host.files.stat(`${systemdFolder}/${sideUnit}`)) !== null || (await mountType(host, sidePath)) !== null || (await host.files.stat(sidePath)) !== null;
    return there ? { state: 'unsatisfied', reason: `it is at ${sidePath} too`, before: {} } : { state: 'satisfied', output: {} };
  },
  async apply({ host }) {
    await end(host);
    await host.files.remove(`${systemdFolder}/${sideUnit}`);
    await host.files.remove(folder, { recursive: true });
    await host.units.daemonReload();
    await host.files.remove(sidePath);
  },
  undo: { never: 'the next migration mounts it again' },
}); // prettier-ignore
