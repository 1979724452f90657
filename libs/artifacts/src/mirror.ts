import { copyFile, mkdir, readFile, stat } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import type { Artifact, Blob, CatalogEntry } from '@strata/model';
import { ArtifactStore, blobsOf } from './store';
import { digestIn } from './vendor';

/**
 * Takes an artifact from a mirror folder: either another machine's store (any kind of artifact, copied as it is), or a file at `path` with
 * `path.sha256` beside it. Every byte is hashed on the way in. Undefined when the folder does not have it; throws when what it has is damaged.
 */
export async function fromMirror(store: ArtifactStore, dir: string, wanted: { entry: CatalogEntry; path?: string }): Promise<Artifact | undefined> {
  const { entry, path } = wanted;
  const mirror = new ArtifactStore(dir);
  const there = await mirror.obtained(entry);
  if (there) {
    for (const blob of blobsOf(there)) await takeOver(store, mirror.blobPath(blob.sha256), { sha256: blob.sha256, what: `${mirror.blobPath(blob.sha256)}` });
    return there;
  }
  if (path === undefined || entry.kind === 'image') return undefined;
  const file = resolve(dir, path);
  if (!file.startsWith(resolve(dir) + sep)) throw new Error(`the mirror path ${path} leads out of ${dir}`);
  if (!(await stat(file).catch(() => undefined))) return undefined;
  const sums = await readFile(`${file}.sha256`, 'utf8').catch((cause: unknown) => {
    throw new Error(`${file} has no ${path}.sha256 beside it: refusing to take unverified bytes`, { cause });
  });
  const sha256 = digestIn(sums, path.slice(path.lastIndexOf('/') + 1), `${file}.sha256`);
  return { kind: entry.kind, name: entry.name, version: entry.version, blob: await takeOver(store, file, { sha256, what: file }) };
}

async function takeOver(store: ArtifactStore, from: string, expected: { sha256: string; what: string }): Promise<Blob> {
  const size = await store.sizeOf(expected.sha256);
  if (size !== undefined && size === (await stat(from)).size) return { sha256: expected.sha256, size };
  return store.inWorkDir(async (work) => {
    await mkdir(work, { recursive: true });
    await copyFile(from, join(work, 'blob'));
    return store.putFile(join(work, 'blob'), expected);
  });
}
