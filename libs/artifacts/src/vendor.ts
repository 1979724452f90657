import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Blob, type ArtifactSource } from '@strata/model';
import { extract } from 'tar';
import { z } from 'zod';
import { download, downloadText } from './download';
import { LockedDigestError } from './failure';
import type { OnProgress } from './progress';
import type { ArtifactStore } from './store';
import type { WayOut } from './way-out';

export type UrlSource = Extract<ArtifactSource, { from: 'url' }>;

export interface VendorOptions {
  store: ArtifactStore;
  progress: OnProgress;
  signal?: AbortSignal;
  way?: WayOut;
  /** Maps an address to the one to ask instead: a company's mirror of the vendor, or a test's server. */
  urlRewrite?: (url: string) => string;
}

const Pinned = z.object({ ...Blob.shape, url: z.string() });

/**
 * Fetches a vendor's file into the store. The digest comes from the catalog, else from the lock of an earlier fetch, else from the vendor's
 * checksum file, which is then locked: the same address must give the same bytes ever after. Throws when there is no digest to check against.
 * With `member` the blob is that file, taken out of the archive.
 */
export async function fetchVendor(source: UrlSource, options: VendorOptions): Promise<Blob> {
  const whole = await fetchWhole(source, options);
  const { member } = source;
  if (member === undefined) return whole;
  return options.store.inWorkDir(async (dir) => {
    await extract({ file: options.store.blobPath(whole.sha256), cwd: dir, strict: true }, [member]);
    return options.store.putFile(join(dir, member)).catch((cause: unknown) => {
      throw new Error(`the archive ${source.url} does not hold ${member}`, { cause });
    });
  });
}

async function fetchWhole(source: UrlSource, options: VendorOptions): Promise<Blob> {
  const { store } = options;
  const key = createHash('sha256').update(source.url).digest('hex');
  const lock = Pinned.safeParse(await store.readRecord('pinned', `url-${key}`)).data;
  if (lock && source.sha256 && lock.sha256 !== source.sha256)
    throw new LockedDigestError(source.url, lock.sha256, { sha256: source.sha256, lock: `pinned/url-${key}.json` });
  if (lock && (await store.has(lock))) return { sha256: lock.sha256, size: lock.size };
  const rewrite = options.urlRewrite ?? ((url: string): string => url);
  const expected = source.sha256 ?? lock?.sha256 ?? (await vendorDigest(source, options, rewrite));
  const part = join(store.dir, 'work', `part-${key}`);
  return store.locked(
    `url-${key}`,
    async () => {
      await download(rewrite(source.url), part, options);
      await rm(`${part}.etag`, { force: true });
      const blob = await store.putFile(part, { sha256: expected, what: source.url });
      await store.writeRecord('pinned', `url-${key}`, { url: source.url, ...blob });
      return blob;
    },
    options.signal ? { signal: options.signal } : {},
  );
}

async function vendorDigest(source: UrlSource, options: VendorOptions, rewrite: (url: string) => string): Promise<string> {
  if (!source.checksums) throw new Error(`the catalog gives neither a sha256 nor a checksum file for ${source.url}: refusing to take unverified bytes`);
  return digestIn(await downloadText(rewrite(source.checksums), options), basename(new URL(source.url).pathname), source.checksums);
}

/** The digest of `file` in a checksum text: one bare digest, or lines of `digest  name`. Throws when it is not there. */
export function digestIn(text: string, file: string, from: string): string {
  const bare = /^\s*([0-9a-f]{64})\s*$/i.exec(text);
  if (bare?.[1]) return bare[1].toLowerCase();
  for (const line of text.split('\n')) {
    const [, digest, name] = /^([0-9a-f]{64})\s+[*]?(?:.*\/)?([^/\s]+)\s*$/i.exec(line) ?? [];
    if (digest && name === file) return digest.toLowerCase();
  }
  throw new Error(`the checksum file ${from} has no sha256 of ${file}`);
}
