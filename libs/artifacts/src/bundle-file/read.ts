import { createHash } from 'node:crypto';
import { type BundleFileEntry, bundleFileLimits, BundleFileManifest, canonicalJson, ustarEnd, ustarHeader, ustarPadding } from '@strata/model';
import semver from 'semver';
import { Header } from 'tar';
import { z } from 'zod';
import { ByteReader } from './byte-reader';
import { BundleFileRefused, damaged } from './refused';
import { largestSignature, signerOf } from './signature';

/** What a file is judged by. What is left out is not asked: for a look that takes nothing. */
export interface BundleFileChecks {
  now?: number; // ms
  /** The version of Strata that would take it. */
  strata?: string;
  trusted?: (fingerprint: string) => boolean | Promise<boolean>;
  /** The newest file of the same name that was taken before. */
  taken?: (name: string) => Promise<{ version: string; digest: string } | null>;
}
export interface BundleFileHead {
  manifest: BundleFileManifest;
  /** sha256 of the manifest's bytes: names the whole file. */
  digest: string;
  /** Fingerprint. */
  signer: string;
}
/** Where the content goes. What throws here ends the reading. */
export interface BundleFileSink {
  begin?: (head: BundleFileHead) => Promise<void>;
  /** Must read `pieces` to the end. They are proven only when `readBundleFile` has returned. */
  entry: (entry: BundleFileEntry, pieces: AsyncIterable<Buffer>) => Promise<void>;
}

/**
 * Reads a bundle file to its last byte, in one pass. First whose it is and whether that one is trusted, then whether it is still good, then each entry: the one
 * that the manifest lists there, a plain file, of that size and digest. A file has one form only: every byte of the tar is the one that our writer
 * puts there, so that no other reader of tars can see something else in it. @throws BundleFileRefused
 */
export async function readBundleFile(source: AsyncIterable<Uint8Array>, checks: BundleFileChecks, sink?: BundleFileSink): Promise<BundleFileHead> {
  const bytes = new ByteReader(source);
  const head = await readHead(bytes, checks);
  await sink?.begin?.(head);
  const { entries } = head.manifest;
  const seen = new Set<string>(['manifest.json', 'manifest.sig']);
  for (const entry of entries) {
    mustBe(await bytes.exactly(block, `the header of ${entry.path}`), entry, { seen, listed: entries });
    const proven = provenPieces(bytes, entry);
    if (sink) await sink.entry(entry, proven);
    for await (const _ of proven); // whatever the sink left
    mustBeEmpty(await bytes.exactly(ustarPadding(entry.size).length, `the end of ${entry.path}`), entry.path);
    seen.add(entry.path);
  }
  const end = await bytes.exactly(ustarEnd().length, 'its end');
  if (!end.equals(ustarEnd())) mustBe(end.subarray(0, block), null, { seen, listed: entries });
  if (!(await bytes.ended())) throw damaged('not-in-form', 'there is something behind the end of the file');
  return head;
}
const block = 512;

async function readHead(bytes: ByteReader, checks: BundleFileChecks): Promise<BundleFileHead> {
  const text = await small(bytes, 'manifest.json', bundleFileLimits.manifestBytes);
  const signer = signerOf(text, await small(bytes, 'manifest.sig', largestSignature));
  if (checks.trusted && !(await checks.trusted(signer)))
    throw new BundleFileRefused('unknown-signer', `it is signed with ${signer}, which this server does not trust`, `ask whoever made it for the fingerprint of their server (\`strata bundle trust --list\` there); if it is this one: strata bundle trust ${signer}`); // prettier-ignore
  const manifest = manifestOf(text);
  const head = { manifest, signer, digest: createHash('sha256').update(text).digest('hex') };
  await mustBeGood(head, checks);
  return head;
}

/** One of the two first entries: known by name, of a size that is bounded. */
async function small(bytes: ByteReader, path: string, most: number): Promise<Buffer> {
  const header = await bytes.exactly(block, `the header of ${path}`).catch(() => {
    throw damaged('not-a-bundle-file', `it is no bundle file: it ends before ${path}`);
  });
  const { path: name, size = 0 } = decoded(header, path);
  if (name !== path) throw new BundleFileRefused('not-a-bundle-file', `it is no bundle file: where ${path} belongs there is ${shown(name)}`, 'name a file that `strata bundle create` made'); // prettier-ignore
  if (size > most) throw damaged('manifest-too-large', `${path} says that it has ${size} bytes: at most ${most} are read`);
  mustBe(header, { path, size }, { seen: new Set(), listed: [] });
  const content = await bytes.exactly(size, path);
  mustBeEmpty(await bytes.exactly(ustarPadding(size).length, `the end of ${path}`), path);
  return content;
}

function manifestOf(bytes: Buffer): BundleFileManifest {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw damaged('bad-manifest', `its manifest is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  const { format } = z.object({ format: z.int() }).catch({ format: 0 }).parse(value);
  if (format > 1) throw new BundleFileRefused('needs-newer-strata', `it is of format ${format}, and this Strata reads format 1`, 'update Strata here, or make the file with this version'); // prettier-ignore
  const parsed = BundleFileManifest.safeParse(value);
  if (!parsed.success) throw damaged('bad-manifest', `its manifest cannot be: ${parsed.error.issues.slice(0, 5).map((i) => `${i.path.join('.')}: ${i.message}`).join('; ')}`); // prettier-ignore
  if (!Buffer.from(canonicalJson(value)).equals(bytes)) throw damaged('bad-manifest', 'its manifest is not in the one form that Strata writes');
  return parsed.data;
}

async function mustBeGood({ manifest: m, digest }: BundleFileHead, { now, strata, taken }: BundleFileChecks): Promise<void> {
  if (strata !== undefined && compareVersions(m.strata, strata) > 0) throw new BundleFileRefused('needs-newer-strata', `it was made by Strata ${m.strata}, this is ${strata}`, 'update Strata here first'); // prettier-ignore
  if (now !== undefined && Date.parse(m.expires) <= now)
    throw new BundleFileRefused('expired', `it expired at ${m.expires}; now it is ${new Date(now).toISOString()}`, 'have it made anew (strata bundle create), or set this clock right if it is wrong'); // prettier-ignore
  const before = await taken?.(m.name);
  if (!before) return;
  const order = compareVersions(m.version, before.version);
  if (order < 0)
    throw new BundleFileRefused('older', `it is ${m.name} ${m.version}, and this server has taken ${m.name} ${before.version} already: an older file would bring back what was mended since`, `take one of ${before.version} or newer, or have this content made anew with a higher version`); // prettier-ignore
  if (order === 0 && digest !== before.digest)
    throw new BundleFileRefused('other-content', `this server has taken ${m.name} ${before.version} already, with another content`, 'have it made with a higher version: one version is one content'); // prettier-ignore
}
/** As semantic versions, of which parts may be left out. */
export const compareVersions = (a: string, b: string): number =>
  semver.compare(semver.coerce(a, { includePrerelease: true }) ?? '0.0.0', semver.coerce(b, { includePrerelease: true }) ?? '0.0.0');

interface Listing {
  seen: ReadonlySet<string>;
  listed: readonly { path: string }[];
}
/** The header is, byte for byte, that of the entry which belongs here; null: none does. */
function mustBe(header: Buffer, entry: { path: string; size: number } | null, { seen, listed }: Listing): void {
  if (entry && header.equals(ustarHeader({ path: entry.path, size: entry.size, mode: 0o644, type: 'file' }))) return;
  if (header.every((byte) => byte === 0)) throw damaged(entry ? 'missing' : 'not-in-form', entry ? `${entry.path} is listed and is not in the file` : 'its end is not whole'); // prettier-ignore
  const { path = '', size, type, linkpath } = decoded(header, entry?.path ?? 'its end');
  if (type !== 'File') throw damaged('not-a-plain-file', `${shown(path)} is of the kind ${type}${linkpath ? ` to ${shown(linkpath)}` : ''}: a bundle file holds plain files alone`); // prettier-ignore
  if (path.startsWith('/') || path.split('/').includes('..')) throw damaged('path-leads-out', `${shown(path)} leads out of the file`);
  if (path !== entry?.path) {
    if (seen.has(path)) throw damaged('twice', `${path} is in the file twice`);
    if (entry && listed.some((e) => e.path === path)) throw damaged('missing', `${entry.path} is listed before ${path} and is not there`);
    throw damaged('not-listed', `${shown(path)} is in the file and not in its manifest`);
  }
  if (entry && size !== entry.size) throw damaged('wrong-size', `${path} says that it has ${String(size)} bytes; the manifest says ${entry.size}`);
  throw damaged('not-in-form', `the header of ${path} is not in the one form that Strata writes`);
}
function decoded(header: Buffer, what: string): Header {
  const read = ((): Header | null => {
    try {
      return new Header(header);
    } catch {
      return null;
    }
  })();
  if (!read?.cksumValid) throw damaged('not-in-form', `where the header of ${what} belongs there is none`);
  return read;
}
const shown = (text: string | undefined): string => JSON.stringify((text ?? '').slice(0, 200));

function mustBeEmpty(padding: Buffer, path: string): void {
  if (padding.some((byte) => byte !== 0)) throw damaged('not-in-form', `there is something hidden behind ${path}`);
}

async function* provenPieces(bytes: ByteReader, entry: BundleFileEntry): AsyncGenerator<Buffer> {
  const hash = createHash('sha256');
  for await (const piece of bytes.pieces(entry.size, entry.path)) {
    hash.update(piece);
    yield piece;
  }
  const digest = hash.digest('hex');
  if (digest !== entry.sha256) throw damaged('wrong-digest', `${entry.path} (${entry.what}) has sha256 ${digest}; the manifest says ${entry.sha256}`);
}
