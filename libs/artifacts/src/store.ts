import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Artifact, artifactKey, type Blob } from '@strata/model';
import { startTimeOf, withLockFile } from './lock-file';

/**
 * Content-addressed store on disk. `blobs/sha256/<hex>` appears only whole, verified and fsynced; `obtained/<name>@<version>.json` says which
 * artifact is made of which blobs; `built/` and `pinned/` are the locks (inputs or address -> digest); `locks/` holds lock files, `work/` scratch.
 */
export class ArtifactStore {
  constructor(readonly dir: string) {}

  /** The store of this machine: `$STRATA_CACHE/artifacts`, else `/var/cache/strata/artifacts`. */
  static ofMachine(env: Readonly<Record<string, string | undefined>>): ArtifactStore {
    return new ArtifactStore(join(env['STRATA_CACHE'] ?? '/var/cache/strata', 'artifacts'));
  }

  blobPath(sha256: string): string {
    return join(this.dir, 'blobs', 'sha256', sha256);
  }

  /** The blob's size in bytes when it is here, else undefined. */
  async sizeOf(sha256: string): Promise<number | undefined> {
    return (await stat(this.blobPath(sha256)).catch(() => undefined))?.size;
  }

  /** Here, and of the right size. */
  async has(blob: Blob): Promise<boolean> {
    return (await this.sizeOf(blob.sha256)) === blob.size;
  }

  /** Hashes the whole blob; one that does not match is removed, so that it is obtained again. Throws with both digests. */
  async verify(blob: Blob): Promise<void> {
    const path = this.blobPath(blob.sha256);
    const got = await hashFile(path);
    if (got.sha256 === blob.sha256) return;
    await rm(path, { force: true });
    throw new Error(`the stored blob ${blob.sha256} is damaged (its bytes hash to ${got.sha256}); it was removed, obtain the artifact again`);
  }

  /** Reads a blob, or bytes `start`..`end` (inclusive) of it. Throws when it is not here or has another size. */
  async read(blob: Blob, range?: { start: number; end: number }): Promise<Readable> {
    if (!(await this.has(blob))) throw new Error(`blob ${blob.sha256} (${blob.size} bytes) is not in ${this.dir}; obtain its artifact again`);
    return createReadStream(this.blobPath(blob.sha256), { ...range, highWaterMark: 1 << 18 });
  }

  /** Writes a stream as a blob: scratch file, fsync, rename. Throws when `expected` differs; then nothing stays. */
  async putStream(source: Readable | AsyncIterable<Uint8Array>, expected?: { sha256: string; what: string }): Promise<Blob> {
    const scratch = join(this.dir, 'work', `put-${process.pid}-${randomUUID()}`);
    await mkdir(dirname(scratch), { recursive: true });
    const hash = createHash('sha256');
    let size = 0;
    const meter = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        hash.update(chunk);
        size += chunk.length;
        done(null, chunk);
      },
    });
    try {
      await pipeline(source, meter, createWriteStream(scratch));
      const sha256 = hash.digest('hex');
      if (expected && expected.sha256 !== sha256) throw new Error(`${expected.what} has sha256 ${sha256}, expected ${expected.sha256}`);
      await this.adopt(scratch, sha256);
      return { sha256, size };
    } finally {
      await rm(scratch, { force: true });
    }
  }

  async putText(text: string): Promise<Blob> {
    return this.putStream(Readable.from([Buffer.from(text)]));
  }

  /** Takes over a file that already lies in this store's `work/`, by rename. Throws when `expected` differs; then the file is removed. */
  async putFile(path: string, expected?: { sha256: string; what: string }): Promise<Blob> {
    const got = await hashFile(path);
    if (expected && expected.sha256 !== got.sha256) {
      await rm(path, { force: true });
      throw new Error(`${expected.what} has sha256 ${got.sha256}, expected ${expected.sha256}`);
    }
    await this.adopt(path, got.sha256);
    return got;
  }

  /** Takes over a file of proven content from this store's `work/`, by rename. */
  async adopt(path: string, sha256: string): Promise<void> {
    const final = this.blobPath(sha256);
    await mkdir(dirname(final), { recursive: true });
    const file = await open(path, 'r+');
    try {
      await file.chmod(0o644);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(path, final);
    await syncDir(dirname(final));
  }

  /** The artifact when it and all its blobs are here. */
  async obtained(entry: { name: string; version: string }): Promise<Artifact | undefined> {
    const text = await this.readRecord('obtained', artifactKey(entry));
    if (text === undefined) return undefined;
    const parsed = Artifact.safeParse(text);
    if (!parsed.success) return undefined;
    const here = await Promise.all(blobsOf(parsed.data).map((b) => this.has(b)));
    return here.every(Boolean) ? parsed.data : undefined;
  }

  async recordObtained(artifact: Artifact): Promise<void> {
    await this.writeRecord('obtained', artifactKey(artifact), artifact);
  }

  /** Every artifact that is here with all its blobs, by `name@version`. */
  async allObtained(): Promise<Record<string, Artifact>> {
    const names = await readdir(join(this.dir, 'obtained')).catch(() => []);
    const found: Record<string, Artifact> = {};
    for (const file of names.filter((n) => n.endsWith('.json')).sort()) {
      const key = file.slice(0, -5);
      const at = key.lastIndexOf('@');
      const artifact = await this.obtained({ name: key.slice(0, at), version: key.slice(at + 1) });
      if (artifact) found[key] = artifact;
    }
    return found;
  }

  /** A small JSON record, or undefined when there is none. A damaged one counts as none. */
  async readRecord(folder: 'obtained' | 'built' | 'pinned', key: string): Promise<unknown> {
    const text = await readFile(join(this.dir, folder, `${key}.json`), 'utf8').catch(() => undefined);
    if (text === undefined) return undefined;
    try {
      return JSON.parse(text) as unknown;
    } catch {
      return undefined;
    }
  }

  async writeRecord(folder: 'obtained' | 'built' | 'pinned', key: string, value: unknown): Promise<void> {
    const final = join(this.dir, folder, `${key}.json`);
    await mkdir(dirname(final), { recursive: true });
    const scratch = `${final}.${process.pid}.${randomUUID()}`;
    const file = await open(scratch, 'w', 0o644);
    try {
      await file.writeFile(`${JSON.stringify(value, null, 2)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(scratch, final);
    await syncDir(dirname(final));
  }

  /** One at a time for `key`, across processes. */
  async locked<T>(key: string, work: () => Promise<T>, options: { signal?: AbortSignal; onWait?: (pid: number) => void } = {}): Promise<T> {
    return withLockFile(join(this.dir, 'locks', `${key}.lock`), work, options);
  }

  /** A scratch folder for `work`, removed afterwards. What killed builders left behind is removed first. */
  async inWorkDir<T>(work: (dir: string) => Promise<T>): Promise<T> {
    await this.removeDeadWork();
    const dir = join(this.dir, 'work', `job-${process.pid}-${(await startTimeOf(process.pid)) ?? '0'}-${randomUUID()}`);
    await mkdir(dir, { recursive: true, mode: 0o755 });
    try {
      return await work(dir);
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  }

  private async removeDeadWork(): Promise<void> {
    for (const name of await readdir(join(this.dir, 'work')).catch(() => [])) {
      const [, pid, start] = /^(?:job|put)-(\d+)-(\d+)?/.exec(name) ?? [];
      if (!pid) continue;
      const now = await startTimeOf(Number(pid));
      if (now === undefined || (name.startsWith('job-') && start !== now)) await rm(join(this.dir, 'work', name), { recursive: true, force: true });
    }
  }
}

/** All blobs of an artifact. */
export function blobsOf(artifact: Artifact): Blob[] {
  return artifact.kind === 'image' ? artifact.blobs.map(({ sha256, size }) => ({ sha256, size })) : [artifact.blob];
}

/** Digest and size of a file. */
export async function hashFile(path: string): Promise<Blob> {
  const hash = createHash('sha256');
  let size = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
    hash.update(chunk as Buffer);
    size += (chunk as Buffer).length;
  }
  return { sha256: hash.digest('hex'), size };
}

/** What was renamed into the folder stays there through a crash. */
export async function syncDir(path: string): Promise<void> {
  const dir = await open(path, 'r');
  try {
    await dir.sync();
  } finally {
    await dir.close();
  }
}
