import { chmod, mkdir, readdir, rename, rm, statfs } from 'node:fs/promises';
import { createReadStream, createWriteStream } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { artifactKey, type PackedBundle } from '@strata/model';
import { filesBelow, readBundle } from '../read-bundle';
import { type ArtifactStore, blobsOf, hashFile, syncDir } from '../store';
import { type BundleFileChecks, type BundleFileHead, readBundleFile } from './read';
import { BundleFileRefused, damaged } from './refused';

export interface TakeInto {
  store: ArtifactStore;
  /** Where bundles that were pushed lie: `<name>/<version>/`. */
  bundlesDir: string;
  /** Free bytes where the store lies. Default: what the file system says. */
  room?: () => Promise<number>;
}
export interface TakenFile extends BundleFileHead {
  added: string[]; // name@version of artifacts that were not here
  /** Here already with another content, which stays: what runs by it would not know itself again. */
  kept: string[];
}
const spareBytes = 256 * 2 ** 20;
const mostUnpacked = 64 * 2 ** 20;

/**
 * Takes a bundle file into store and bundle folder. Until its last byte is proven everything lies in a private folder beside the store's blobs, which is
 * gone afterwards; then each blob, each folder and each record comes by a rename. Dying in between leaves whole things only, and the same file taken again
 * does the rest. @throws BundleFileRefused, and then nothing was changed
 */
export async function takeBundleFile(source: AsyncIterable<Uint8Array>, checks: BundleFileChecks, into: TakeInto): Promise<TakenFile> {
  const { store } = into;
  return store.inWorkDir(async (dir) => {
    await chmod(dir, 0o700);
    const staged = (sha256: string): string => join(dir, sha256);
    const head = await readBundleFile(source, checks, {
      begin: (h) => mustHaveRoom(h, into),
      entry: (entry, pieces) => pipeline(pieces, createWriteStream(staged(entry.sha256), { mode: 0o600 })),
    });
    const folders = await stageFolders(head.manifest.bundles, into.bundlesDir, staged);
    try {
      const result = await keepArtifacts(head, store, staged);
      for (const { from, to } of folders.ready) await place(from, to);
      return { ...head, ...result };
    } finally {
      await folders.clear();
    }
  });
}

async function mustHaveRoom({ manifest }: BundleFileHead, { store, room }: TakeInto): Promise<void> {
  const need = manifest.entries.reduce((sum, e) => sum + e.size, 0);
  const free = await (room ?? (() => freeBytes(store.dir)))();
  if (need + spareBytes > free)
    throw new BundleFileRefused('no-room', `its content has ${need} bytes, and ${free} are free where ${store.dir} lies`, 'make room there, or give the server another cacheDir'); // prettier-ignore
}
async function freeBytes(dir: string): Promise<number> {
  const { bavail, bsize } = await statfs(dir);
  return bavail * bsize;
}

interface Folders {
  ready: { from: string; to: string }[];
  clear: () => Promise<void>;
}
/** The bundles of the file as folders, private still, each read as a whole: one that could not be used is refused now. */
async function stageFolders(bundles: readonly PackedBundle[], bundlesDir: string, staged: (sha256: string) => string): Promise<Folders> {
  const ready: Folders['ready'] = [];
  if (bundles.length === 0) return { ready, clear: async () => undefined };
  const had = await readdir(bundlesDir).catch(() => null);
  const incoming = join(bundlesDir, `.incoming-${randomUUID()}`);
  const clear = async (): Promise<void> => {
    await rm(incoming, { recursive: true, force: true });
    if (had === null) await rm(bundlesDir, { recursive: false }).catch(() => undefined); // only where it is empty still
  };
  try {
    await mkdir(incoming, { recursive: true, mode: 0o700 });
    for (const bundle of bundles) {
      const [from, to] = [join(incoming, bundle.name), join(bundlesDir, bundle.name, bundle.version)];
      await writeFolder(from, bundle, staged);
      await mustBeUsable(from, bundle);
      for (const { path } of bundle.files.filter((f) => /\.t?gz$/.test(f.path)))
        await mustUnpackWithin(join(from, path), `${path} of the bundle "${bundle.name}" in it`);
      if (!(await isThere(to, bundle))) ready.push({ from, to });
    }
    return { ready, clear };
  } catch (error) {
    await clear();
    throw error;
  }
}
async function writeFolder(dir: string, bundle: PackedBundle, staged: (sha256: string) => string): Promise<void> {
  for (const { path, sha256 } of bundle.files) {
    const file = join(dir, path);
    await mkdir(dirname(file), { recursive: true, mode: 0o755 }).catch(() => {
      throw damaged('bad-bundle', `the bundle "${bundle.name}" in it has a file and a folder of one name at ${path}`);
    });
    await pipeline(createReadStream(staged(sha256)), createWriteStream(file, { flags: 'wx', mode: 0o644, flush: true })).catch((error: NodeJS.ErrnoException) => {
      throw error.code === 'EEXIST' || error.code === 'EISDIR' ? damaged('bad-bundle', `the bundle "${bundle.name}" in it has two things at ${path}`) : error;
    }); // prettier-ignore
  }
}
async function mustBeUsable(dir: string, { name, version }: PackedBundle): Promise<void> {
  const remedy = 'have the file made anew of a bundle that `strata bundle lint` finds good';
  const read = await readBundle(dir).catch((error: unknown) => {
    throw new BundleFileRefused('bad-bundle', `the bundle "${name}" in it cannot be used: ${(error instanceof Error ? error.message : String(error)).replaceAll(`${dir}/`, '')}`, remedy); // prettier-ignore
  });
  const is = read.bundle.metadata;
  if (is.name !== name || is.version !== version) throw new BundleFileRefused('bad-bundle', `it lists the bundle ${name} ${version}, whose bundle.yaml says ${is.name} ${is.version}`, remedy); // prettier-ignore
}
/** A packed chart within a chart, which Helm will unpack: not to more than all charts of a cluster together have. */
async function mustUnpackWithin(file: string, what: string): Promise<void> {
  let size = 0;
  const count = async (unpacked: AsyncIterable<Buffer>): Promise<void> => {
    for await (const piece of unpacked)
      if ((size += piece.length) > mostUnpacked) throw damaged('bad-bundle', `${what} unpacks to more than ${mostUnpacked} bytes`);
  };
  await pipeline(createReadStream(file), createGunzip(), count).catch((error: unknown) => {
    throw error instanceof BundleFileRefused ? error : damaged('bad-bundle', `${what} cannot be unpacked: ${error instanceof Error ? error.message : String(error)}`); // prettier-ignore
  });
}
/** Whether that folder is there with just these files. @throws BundleFileRefused when it is there with others */
async function isThere(dir: string, bundle: PackedBundle): Promise<boolean> {
  const names = await readdir(dir).catch(() => null);
  if (names === null) return false;
  const is = await Promise.all((await filesBelow(dir, '')).map(async (path) => `${path} ${(await hashFile(join(dir, path))).sha256}`));
  const wants = bundle.files.map((f) => `${f.path} ${f.sha256}`);
  if (is.sort().join('\n') === wants.sort().join('\n')) return true;
  throw new BundleFileRefused('other-content', `this server has the bundle ${bundle.name} ${bundle.version} already, with other files`, 'give the bundle a higher version in its bundle.yaml and have the file made anew'); // prettier-ignore
}
async function place(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true, mode: 0o755 });
  await rename(from, to);
  await syncDir(dirname(to));
}

async function keepArtifacts({ manifest }: BundleFileHead, store: ArtifactStore, staged: (sha256: string) => string): Promise<Pick<TakenFile, 'added' | 'kept'>> {
  const [added, kept]: [string[], string[]] = [[], []];
  for (const artifact of manifest.artifacts) {
    const there = await store.obtained(artifact);
    if (there) {
      if (JSON.stringify(blobsOf(there)) !== JSON.stringify(blobsOf(artifact))) kept.push(artifactKey(artifact));
      continue;
    }
    for (const blob of blobsOf(artifact)) if (!(await store.has(blob))) await store.adopt(staged(blob.sha256), blob.sha256);
    await store.recordObtained(artifact);
    added.push(artifactKey(artifact));
  }
  return { added, kept };
} // prettier-ignore
