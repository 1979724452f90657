import { z } from 'zod';
import { strataMark } from '../facts/software';
import { FileImage, type Host } from '../ports/host';

/** A file that a task writes whole. */
export interface WrittenFile {
  path: string;
  content: string;
  mode?: number;
}
/** What the files of a task were before it. */
export const FileImages = z.strictObject({ files: z.array(FileImage) });
export type FileImages = z.infer<typeof FileImages>;

/** The words for what differs, or null if all files are as wanted, in content and mode. */
export async function differing(host: Host, files: readonly WrittenFile[]): Promise<string | null> {
  const wrong: string[] = [];
  for (const f of files) {
    const stat = await host.files.stat(f.path);
    if (stat?.kind !== 'file') wrong.push(`${f.path} is missing`);
    else if (stat.mode !== (f.mode ?? 0o644)) wrong.push(`${f.path} has mode ${stat.mode.toString(8)}`);
    else if ((await host.files.read(f.path)) !== f.content) wrong.push(`${f.path} has other content`);
  }
  return wrong.length === 0 ? null : wrong.join(', ');
}
/** Pre-images of paths, kept on the machine. */
export async function imagesOf(host: Host, paths: readonly string[]): Promise<FileImages> {
  const files: FileImage[] = [];
  for (const path of paths) files.push(await host.files.image(path));
  return { files };
}
export async function writeAll(host: Host, files: readonly WrittenFile[]): Promise<void> {
  for (const f of files) await host.files.write(f.path, f.content, { mode: f.mode ?? 0o644 });
}
/** Puts back what `imagesOf` saw, the last one first. */
export async function restoreAll(host: Host, before: FileImages): Promise<void> {
  for (const image of [...before.files].reverse()) await host.files.restore(image);
}
/** Those of `paths` that an earlier spec had us write, by the mark they begin with, and this one does not. */
export async function leftBehind(host: Host, paths: readonly string[], now: readonly WrittenFile[]): Promise<string[]> {
  const wanted = new Set(now.map((f) => f.path));
  const left: string[] = [];
  for (const path of paths) if (!wanted.has(path) && (await host.files.read(path))?.startsWith(`# ${strataMark}\n`)) left.push(path);
  return left;
}
/** Those of `paths` that are not there. */
export async function missing(host: Host, paths: readonly string[]): Promise<string[]> {
  const absent: string[] = [];
  for (const path of paths) if ((await host.files.stat(path)) === null) absent.push(path);
  return absent;
}
