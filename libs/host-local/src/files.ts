import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, chown, copyFile, lstat, mkdir, open, readdir, readFile, readlink, rename, rm, rmdir, stat, symlink, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { ArchiveArtifact, Artifact, FileArtifact } from '@strata/model';
import type { FileImage, Files, FileStat } from '@strata/tasks';
import { notAFile, TaskError } from '@strata/tasks';
import { diskFullError, isDiskFull } from './disk-space';
import { unpackMembers } from './unpack';

const maxText = 4 * 1024 * 1024;
const missing = (e: unknown): boolean => ['ENOENT', 'ENOTDIR'].includes((e as NodeJS.ErrnoException).code ?? '');
const orNull = <T>(work: Promise<T>): Promise<T | null> =>
  work.catch((e: unknown) => {
    if (missing(e)) return null;
    throw e;
  });

/** So that a rename or a new name survives a power cut. */
export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  await handle.sync().finally(() => handle.close());
}
export async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return hash.digest('hex');
}
const digests = new Map<string, string>();
const settledMs = 100; // a file that changed so lately may change again within one tick of its times

/**
 * The digest of a large file, from memory while inode, size and both times are as they were when it was read: programs of 90 MB are looked at in every
 * run. Nobody sets back a change time but with the disk's own tools. Null when there is no such file.
 */
async function sha256Kept(path: string): Promise<string | null> {
  const identity = async (): Promise<{ key: string; size: bigint; changed: number } | null> => {
    const s = await orNull(stat(path, { bigint: true }));
    return s && { key: [s.dev, s.ino, s.size, s.mtimeNs, s.ctimeNs].join(':'), size: s.size, changed: Number(s.ctimeMs) };
  };
  const [is, began] = [await identity(), Date.now()];
  if (is === null || is.size < 1 << 20) return orNull(sha256Of(path));
  const known = digests.get(is.key);
  if (known !== undefined) return known;
  const sha256 = await orNull(sha256Of(path));
  if (sha256 !== null && began - is.changed > settledMs && (await identity())?.key === is.key) {
    if (digests.size >= 200) digests.clear();
    digests.set(is.key, sha256);
  }
  return sha256;
}
/** Makes what is missing of a folder with 0755, whatever this process's umask is: the agent's is 0077, and a folder that others pass through must let them. */
async function makeFolders(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: 0o755 });
  if (first === undefined) return;
  for (let at = path; at.length >= first.length; at = dirname(at)) await chmod(at, 0o755);
}

/** Fills `path` by `fill(temporary file)`, then fsync, owner, mode, rename, fsync of the directory. */
export async function replaceFile(
  path: string,
  fill: (temporary: string) => Promise<void>,
  o: { mode: number; owner?: { uid: number; gid: number } },
): Promise<void> {
  await makeFolders(dirname(path));
  const temporary = join(dirname(path), `.strata-${randomBytes(6).toString('hex')}`);
  try {
    await fill(temporary);
    if (o.owner) await chown(temporary, o.owner.uid, o.owner.gid);
    await chmod(temporary, o.mode);
    const handle = await open(temporary, 'r');
    await handle.sync().finally(() => handle.close());
    await rename(temporary, path).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EBUSY') throw error;
      await overwrite(temporary, path, o.mode); // a file that a container's host mounted there can only be filled anew
    });
    await syncDirectory(dirname(path));
  } catch (error) {
    await rm(temporary, { force: true });
    throw isDiskFull(error) ? await diskFullError(path, error) : isDirectory(error) ? notAFile(path, error) : error;
  }
}
const orNotAFile =
  (path: string) =>
  (error: unknown): never => {
    throw isDirectory(error) ? notAFile(path, error) : error;
  };
const isDirectory = (e: unknown): boolean => (e as NodeJS.ErrnoException).code === 'EISDIR';
async function overwrite(from: string, to: string, mode: number): Promise<void> {
  const handle = await open(to, 'r+');
  try {
    const content = await readFile(from);
    await handle.truncate(0);
    await handle.write(content, 0, content.length, 0);
    await handle.chmod(mode);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rm(from, { force: true });
}
export async function statOf(path: string): Promise<FileStat | null> {
  const s = await orNull(lstat(path));
  if (!s) return null;
  const kind = s.isFile() ? 'file' : s.isDirectory() ? 'directory' : s.isSymbolicLink() ? 'link' : 'other';
  return { kind, mode: s.mode & 0o7777, uid: s.uid, gid: s.gid, size: s.size, target: kind === 'link' ? await readlink(path) : null };
}

/**
 * Files of this machine. Pre-images are kept under `stateDir/preimages`, 0600, named by their digest.
 * @param fetch gets an artifact again that the node's store lost or holds damaged (a power cut can do both).
 */
export function localFiles(stateDir: string, fetch?: (artifact: Artifact) => Promise<void>): Files {
  const preimage = (sha256: string): string => join(stateDir, 'preimages', sha256);
  const blob = (sha256: string): string => join(stateDir, 'artifacts', 'blobs', sha256);

  async function keepPreimage(path: string): Promise<string> {
    const sha256 = await sha256Of(path);
    if ((await statOf(preimage(sha256))) === null) {
      await mkdir(dirname(preimage(sha256)), { recursive: true, mode: 0o700 });
      await replaceFile(preimage(sha256), (temporary) => copyFile(path, temporary), { mode: 0o600, owner: { uid: 0, gid: 0 } });
    }
    return sha256;
  }
  async function owner(path: string): Promise<{ uid: number; gid: number } | undefined> {
    const now = await statOf(path);
    return now?.kind === 'file' ? { uid: now.uid, gid: now.gid } : undefined;
  }
  const files: Files = {
    read: async (path) => {
      const s = await statOf(path);
      if (s === null) return null;
      if (s.size > maxText)
        throw new TaskError('file-too-large', `${path} has ${s.size} bytes; text of more than 4 MiB is not read`, { remedy: 'see why this file is so large' });
      return orNull(readFile(path, 'utf8')).catch(orNotAFile(path));
    },
    stat: statOf,
    list: async (path) => (await orNull(readdir(path)))?.sort() ?? [],
    sha256: (path) => sha256Kept(path).catch(orNotAFile(path)),
    image: async (path): Promise<FileImage> => {
      const s = await statOf(path);
      if (!s) return { path, kind: 'absent', parents: await absentParents(path) };
      const own = { mode: s.mode, uid: s.uid, gid: s.gid };
      if (s.kind === 'link') return { path, kind: 'link', target: s.target ?? '' };
      if (s.kind === 'directory') return { path, kind: 'directory', ...own };
      if (s.kind === 'file') return { path, kind: 'file', ...own, sha256: await keepPreimage(path) };
      throw new TaskError('strange-file', `${path} is neither a file, a directory nor a link`, { remedy: `see what ${path} is and move it away` });
    },
    restore: async (image) => {
      const now = await statOf(image.path);
      if (image.kind === 'absent') {
        if (now?.kind === 'directory') await removeEmpty(image.path);
        else await rm(image.path, { force: true });
        for (const parent of [...(image.parents ?? [])].reverse()) if ((await statOf(parent))?.kind === 'directory') await removeEmpty(parent);
        return;
      }
      if (image.kind === 'directory') {
        if (now?.kind !== 'directory') await mkdir(image.path, { recursive: true });
        await chown(image.path, image.uid ?? 0, image.gid ?? 0);
        return chmod(image.path, image.mode ?? 0o755);
      }
      if (now?.kind === 'directory') await removeEmpty(image.path);
      if (image.kind === 'link') return files.link(image.path, image.target ?? '');
      const source = preimage(image.sha256 ?? '');
      if ((await statOf(source)) === null)
        throw new TaskError('preimage-lost', `what ${image.path} held before Strata is no longer in ${dirname(source)}`, {
          remedy: `restore ${image.path} from a backup, then resume`,
        });
      await replaceFile(image.path, (temporary) => copyFile(source, temporary), {
        mode: image.mode ?? 0o644,
        owner: { uid: image.uid ?? 0, gid: image.gid ?? 0 },
      });
    },
    write: async (path, content, o) => {
      const text = async (temporary: string): Promise<void> => {
        const handle = await open(temporary, 'wx', 0o600);
        await handle.writeFile(content).finally(() => handle.close());
      };
      await replaceFile(path, text, { mode: o?.mode ?? 0o644, owner: await owner(path) });
    },
    link: async (path, target) => {
      await makeFolders(dirname(path));
      const temporary = join(dirname(path), `.strata-${randomBytes(6).toString('hex')}`);
      await symlink(target, temporary);
      await rename(temporary, path);
      await syncDirectory(dirname(path));
    },
    mkdir: async (path, o) => {
      if ((await statOf(path))?.kind !== 'directory') await makeFolders(path);
      if (o?.mode !== undefined) await chmod(path, o.mode);
    },
    remove: async (path, o) => {
      const now = await statOf(path);
      if (now === null) return;
      if (now.kind !== 'directory') return unlink(path);
      if (!o?.recursive) return removeEmpty(path);
      await refuseMounts(path);
      await rm(path, { recursive: true, force: true });
    },
    install: async (artifact, path, o) => {
      const source = await verifiedBlob(blob(artifact.blob.sha256), artifact, fetch);
      await replaceFile(path, (temporary) => copyFile(source, temporary), { mode: o?.mode ?? 0o755, owner: { uid: 0, gid: 0 } });
    },
    unpack: async (artifact, members, o) => unpackMembers(await verifiedBlob(blob(artifact.blob.sha256), artifact, fetch), members, o?.mode ?? 0o755),
  };
  return files;
}

async function verifiedBlob(path: string, artifact: FileArtifact | ArchiveArtifact, fetch?: (artifact: Artifact) => Promise<void>): Promise<string> {
  const found = await orNull(sha256Of(path));
  if (found === artifact.blob.sha256) return path;
  if (found !== null) await rm(path, { force: true });
  if (fetch) {
    await fetch(artifact);
    return verifiedBlob(path, artifact);
  }
  throw new TaskError('artifact-missing', `${artifact.name} ${artifact.version} is ${found === null ? 'not in' : 'damaged in'} this node's store`, {
    remedy: 'retry the step artifacts.fetch of this node',
    retry: true,
  });
}
/** Directories above `path` that are not there, outermost first. */
async function absentParents(path: string): Promise<string[]> {
  const absent: string[] = [];
  for (let at = dirname(path); at !== '/' && (await statOf(at)) === null; at = dirname(at)) absent.unshift(at);
  return absent;
}
/** A directory that is not empty stays: what is in there is not ours to delete. */
async function removeEmpty(path: string): Promise<void> {
  if ((await readdir(path)).length === 0) await rmdir(path);
}
async function refuseMounts(path: string): Promise<void> {
  const mounts = (await readFile('/proc/self/mounts', 'utf8')).split('\n').map((l) => (l.split(' ')[1] ?? '').replaceAll('\\040', ' '));
  const inside = mounts.find((m) => m === path || m.startsWith(`${path}/`));
  if (inside) throw new TaskError('mounted', `${path} was not removed: ${inside} is mounted there`, { remedy: `unmount ${inside} first` });
}
