import { createReadStream } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { ociLayout, ustarEnd, ustarHeader, ustarPadding, ustarSize, type Blob, type ImageArtifact } from '@strata/model';

/**
 * Tar of a folder, entries sorted by path, owner root, time 0: the same tree gives the same bytes, whatever the umask was.
 * Folders and executables get 0755, other files 0644, but for what `modes` says (paths relative, no leading "/").
 */
export function folderTar(root: string, modes: Readonly<Record<string, number>> = {}): Readable {
  return Readable.from(writeFolder(root, modes), { objectMode: false });
}

async function* writeFolder(root: string, modes: Readonly<Record<string, number>>): AsyncGenerator<Uint8Array> {
  for (const path of await pathsUnder(root, '')) {
    const full = join(root, path);
    const info = await lstat(full);
    const mode = modes[path] ?? (info.isDirectory() || info.mode & 0o111 ? 0o755 : 0o644);
    if (info.isDirectory()) yield ustarHeader({ path, type: 'directory', mode, size: 0 });
    else if (info.isSymbolicLink()) yield ustarHeader({ path, type: 'symlink', mode: 0o777, size: 0, target: await readlink(full) });
    else if (info.isFile()) {
      yield ustarHeader({ path, type: 'file', mode, size: info.size });
      for await (const chunk of createReadStream(full, { highWaterMark: 1 << 20 })) yield chunk as Buffer;
      yield ustarPadding(info.size);
    } else throw new Error(`${full} is neither file, folder nor link: it cannot go into a layer`);
  }
  yield ustarEnd();
}

async function pathsUnder(root: string, below: string): Promise<string[]> {
  const paths: string[] = [];
  for (const entry of (await readdir(join(root, below), { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = below ? `${below}/${entry.name}` : entry.name;
    paths.push(path);
    if (entry.isDirectory()) paths.push(...(await pathsUnder(root, path)));
  }
  return paths;
}

/** Opens a blob of known size for reading. */
export type OpenBlob = (blob: Blob) => Promise<Readable>;

/**
 * One OCI layout of all `images` as a tar stream, shared blobs once: what `ctr -n k8s.io images import -` reads.
 * `size` is the length of the whole stream in bytes. The stream fails when a blob gives more or fewer bytes than it should.
 */
export function imageTar(images: readonly ImageArtifact[], openBlob: OpenBlob): { stream: Readable; size: number } {
  const entries = ociLayout(images);
  async function* write(): AsyncGenerator<Uint8Array> {
    for (const entry of entries) {
      yield ustarHeader({ path: entry.path, type: 'file', mode: 0o644, size: entry.size });
      if ('text' in entry) yield Buffer.from(entry.text);
      else {
        let seen = 0;
        for await (const chunk of await openBlob({ sha256: entry.sha256, size: entry.size })) {
          seen += (chunk as Buffer).length;
          yield chunk as Buffer;
        }
        if (seen !== entry.size) throw new Error(`blob ${entry.sha256} gave ${seen} bytes, expected ${entry.size}`);
      }
      yield ustarPadding(entry.size);
    }
    yield ustarEnd();
  }
  return { stream: Readable.from(write(), { objectMode: false }), size: ustarSize(entries.map((e) => e.size)) };
}
