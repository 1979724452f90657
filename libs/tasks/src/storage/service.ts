import { z } from 'zod';
import { FolderBefore, folderBefore, restoreFolder } from '../orchestration/own-folder';
import { FileImages, imagesOf, restoreAll } from '../orchestration/written-files';
import type { Host } from '../ports/host';
import { endUnits } from '../service-units';
import { storageFolder, systemdFolder } from './storage-paths';

/** What a service of ours was before: its own files, and whether it was there at all: then a run that only changed it never takes it away. */
export const ServiceBefore = z.strictObject({ images: FileImages, folders: z.record(z.string(), FolderBefore), there: z.boolean() });
export async function beforeOf(host: Host, of: { units: readonly string[]; binary: string; folder: string }): Promise<z.infer<typeof ServiceBefore>> {
  const files = of.units.map((unit) => `${systemdFolder}/${unit}`);
  const there = (await host.files.stat(files[0] ?? '')) !== null;
  return {
    images: there ? { files: [] } : await imagesOf(host, [of.binary, ...files]),
    folders: there ? {} : { [of.folder]: await folderBefore(host, of.folder) },
    there,
  };
}

/** Takes away a service that was not there before: its units, files and settings, never its data. */
export async function takeAway(host: Host, units: readonly string[], before: z.infer<typeof ServiceBefore>): Promise<void> {
  await endUnits(host, units);
  for (const [folder, was] of Object.entries(before.folders)) await restoreFolder(host, folder, was);
  await restoreAll(host, before.images); // and folders above them that are empty now
  await host.units.daemonReload();
  await host.files.remove(storageFolder); // if no other part of the storage is left in it
}
