import { z } from 'zod';
import type { Host } from '../ports/host';

/** A folder that we fill: what was in it before us, and its mode. `null`: it was not there. */
export const FolderBefore = z.strictObject({ names: z.array(z.string()).nullable(), mode: z.int().optional() });
export type FolderBefore = z.infer<typeof FolderBefore>;

export async function folderBefore(host: Host, folder: string): Promise<FolderBefore> {
  const stat = await host.files.stat(folder);
  return stat === null ? { names: null } : { names: await host.files.list(folder), mode: stat.mode };
}

/** Takes a folder back: what came into it goes, and the folder itself if it was not there before and is no mount point. Mounts below go first. */
export async function restoreFolder(host: Host, folder: string, before: FolderBefore): Promise<void> {
  const mounts = (await host.mounts.list()).map((m) => m.path);
  for (const path of mounts.filter((p) => p.startsWith(`${folder}/`)).sort((a, b) => b.length - a.length)) await host.mounts.unmount(path);
  const now = await host.files.stat(folder);
  if (now === null) return;
  if (before.names === null && !mounts.includes(folder)) return host.files.remove(folder, { recursive: true });
  const kept = new Set(before.names ?? []);
  for (const name of await host.files.list(folder)) if (!kept.has(name)) await host.files.remove(`${folder}/${name}`, { recursive: true });
  if (before.mode !== undefined && now.mode !== before.mode) await host.files.mkdir(folder, { mode: before.mode }); // programs tighten what they own
}
