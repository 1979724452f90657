import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { bundleFileLimits } from '@strata/model';
import { ArtifactStore } from '../store';
import {
  entriesOf,
  fileOf,
  listing,
  makeBundleFile,
  type Made,
  newSigner,
  oursForm,
  type RawEntry,
  resigned,
  shopFolder,
  tarOf,
} from '../testing/bundle-files';
import { type BundleFileChecks, BundleFileRefused, bundleFile, fingerprintOf, packBundle, readBundleFile, takeBundleFile } from './index';
import { signatureBytes } from './signature';

let dir: string;
let made: Made;
let there: { store: ArtifactStore; bundlesDir: string; room: () => Promise<number> };
const [ours, stranger] = [newSigner(), newSigner()];
const day = 86_400_000;
const checks = (change: Partial<BundleFileChecks> = {}): BundleFileChecks => ({
  now: Date.parse('2030-06-01T00:00:00Z'),
  strata: '0.1.0',
  trusted: (fingerprint) => fingerprint === fingerprintOf(ours.publicKey),
  taken: async () => ({ version: '1.1.9', digest: 'f'.repeat(64) }),
  ...change,
});

beforeAll(async () => {
  dir = mkdtempSync('/var/tmp/strata-bundle-file-');
  made = await makeBundleFile(new ArtifactStore(join(dir, 'from')), ours, { folder: shopFolder(join(dir, 'shop')) });
});
beforeEach(() => {
  rmSync(join(dir, 'to'), { recursive: true, force: true });
  there = { store: new ArtifactStore(join(dir, 'to/store')), bundlesDir: join(dir, 'to/bundles'), room: async () => 1e12 };
  mkdirSync(join(there.store.dir, 'work'), { recursive: true });
  mkdirSync(there.bundlesDir);
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** In pieces of an odd size, as a network gives them. */
async function* pieces(bytes: Buffer, size = 1000): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
const take = (bytes: Buffer, change: Partial<BundleFileChecks> = {}): ReturnType<typeof takeBundleFile> => takeBundleFile(pieces(bytes), checks(change), there);
const refusal = async (bytes: Buffer, change: Partial<BundleFileChecks> = {}): Promise<BundleFileRefused> => {
  const error: unknown = await take(bytes, change).then(() => null, (e: unknown) => e); // prettier-ignore
  if (!(error instanceof BundleFileRefused)) throw new Error(`not refused: ${String(error)}`);
  return error;
};

test('a file that was made is taken: artifacts by name, bundles by name and version; a second time nothing is new', async () => {
  const first = await take(made.bytes);
  expect(first).toMatchObject({ added: ['image-web@1.0', 'helm@4.0.0'], kept: [], signer: fingerprintOf(ours.publicKey), manifest: { name: 'site' } });
  expect(await there.store.obtained({ name: 'image-web', version: '1.0' })).toEqual(made.content.artifacts[0]);
  expect(readFileSync(there.store.blobPath(made.manifest.artifacts[1]?.kind === 'file' ? made.manifest.artifacts[1].blob.sha256 : ''), 'utf8')).toBe('a program');
  expect(listing(join(there.bundlesDir, 'shop/1.0.0'))).toEqual(listing(join(dir, 'shop')));
  const now = listing(join(dir, 'to'));
  expect(await take(made.bytes, { taken: async () => ({ version: '1.2.0', digest: first.digest }) })).toMatchObject({ added: [], kept: [] });
  expect(listing(join(dir, 'to'))).toEqual(now);
}); // prettier-ignore

test('the same content gives the same bytes, and a tar that others read', async () => {
  const again = await makeBundleFile(new ArtifactStore(join(dir, 'again')), ours, { folder: shopFolder(join(dir, 'shop2')) });
  expect(again.bytes.equals(made.bytes)).toBe(true);
  expect(entriesOf(made.bytes).slice(0, 4).map((e) => e.path)).toEqual(['manifest.json', 'manifest.sig', 'oci-layout', 'index.json']); // prettier-ignore
  expect(bundleFile(made.manifest, ours, new ArtifactStore(join(dir, 'from'))).size).toBe(made.bytes.length);
});

test('what is here with another content stays, and is named', async () => {
  const blob = await there.store.putText('our own helm');
  await there.store.recordObtained({ kind: 'file', name: 'helm', version: '4.0.0', blob });
  expect(await take(made.bytes)).toMatchObject({ added: ['image-web@1.0'], kept: ['helm@4.0.0'] });
  expect(await there.store.obtained({ name: 'helm', version: '4.0.0' })).toMatchObject({ blob });
});

test('a folder with a link in it is not packed', async () => {
  const folder = shopFolder(join(dir, 'linked'));
  symlinkSync('/etc/passwd', join(folder, 'charts/web/values.yaml'));
  await expect(packBundle(new ArtifactStore(join(dir, 'from')), folder)).rejects.toThrow('is a link');
});

/** A byte of an entry's body turned round. */
const flipped = (path: RegExp, at = 0): Buffer => {
  const bytes = Buffer.from(made.bytes);
  let offset = 0;
  for (const e of entriesOf(made.bytes)) {
    if (path.test(e.path)) bytes[offset + 512 + at] = (bytes[offset + 512 + at] ?? 0) ^ 1;
    if (path.test(e.path)) return bytes;
    offset += 512 + Math.ceil(e.body.length / 512) * 512;
  }
  throw new Error(`no entry ${String(path)}`);
};
const withEntry = (entry: RawEntry, at = 4): Buffer => oursForm(entriesOf(made.bytes).toSpliced(at, 0, entry));
const inPlace = (change: Partial<RawEntry>, at = 4): Buffer => oursForm(entriesOf(made.bytes).map((e, i) => (i === at ? { ...e, ...change } : e)));
const nothing = Buffer.alloc(0);
type Manifest = Record<string, unknown> & Pick<Made['manifest'], 'entries' | 'bundles' | 'artifacts'>;
const signed = (change: (m: Manifest) => object): Buffer => resigned(made.bytes, ours, (m) => change(m as Manifest));
const inBundle = (change: object): Buffer => signed((m) => ({ ...m, bundles: m.bundles.map((b) => ({ ...b, files: b.files.map((f, i) => (i === 0 ? { ...f, ...change } : f)) })) })); // prettier-ignore
const entry = (change: object, at = 2): Buffer => signed((m) => ({ ...m, entries: m.entries.map((e, i) => (i === at ? { ...e, ...change } : e)) }));

const attacks: [string, () => Buffer, { code: string; says: RegExp; checks?: Partial<BundleFileChecks> }][] = [
  ['a changed byte in a blob', () => flipped(/^blobs/), { code: 'wrong-digest', says: /has sha256 .* the manifest says/ }],
  ['a changed byte in the index', () => flipped(/^index/), { code: 'wrong-digest', says: /index\.json/ }],
  ['a changed byte in the manifest', () => flipped(/^manifest\.json/, 40), { code: 'bad-signature', says: /one of the two was changed/ }],
  ['a changed byte in the signature', () => flipped(/^manifest\.sig/, 120), { code: 'bad-signature', says: /signature/ }],
  ['no signature', () => oursForm(entriesOf(made.bytes).toSpliced(1, 1)), { code: 'not-a-bundle-file', says: /where manifest\.sig belongs there is "oci-layout"/ }],
  ['an empty signature', () => inPlace({ body: nothing }, 1), { code: 'bad-signature', says: /no signature/ }],
  ['the signature of somebody unknown', () => resigned(made.bytes, stranger, (m) => m), { code: 'unknown-signer', says: /SHA256:[\w-]{43}, which this server does not trust/ }],
  ['our signature with another key named', () => fileOf([entriesOf(made.bytes)[0]?.body ?? nothing, signatureBytes(entriesOf(made.bytes)[0]?.body ?? nothing, { publicKey: ours.publicKey, sign: stranger.sign })], entriesOf(made.bytes).slice(2)), { code: 'bad-signature', says: /not one over this manifest/ }],
  ['a file that expired', () => made.bytes, { code: 'expired', says: /expired at 2031-01-01/, checks: { now: Date.parse('2031-01-01T00:00:00Z') } }],
  ['a file older than one that was taken', () => made.bytes, { code: 'older', says: /1\.2\.0, and this server has taken site 1\.10\.0/, checks: { taken: async () => ({ version: '1.10.0', digest: '' }) } }],
  ['the version that was taken, with another content', () => made.bytes, { code: 'other-content', says: /another content/, checks: { taken: async () => ({ version: '1.2.0', digest: '0'.repeat(64) }) } }],
  ['a file of a newer Strata', () => signed((m) => ({ ...m, strata: '0.2.0' })), { code: 'needs-newer-strata', says: /made by Strata 0\.2\.0, this is 0\.1\.0/ }],
  ['a file of a format to come', () => signed((m) => ({ ...m, format: 2 })), { code: 'needs-newer-strata', says: /format 2/ }],
  ['../ in the name of an entry', () => withEntry({ path: '../../etc/cron.d/x', body: Buffer.from('x') }), { code: 'path-leads-out', says: /"\.\.\/\.\.\/etc\/cron\.d\/x" leads out/ }],
  ['../ inside a name', () => withEntry({ path: 'blobs/../../x', body: nothing }), { code: 'path-leads-out', says: /leads out/ }],
  ['an absolute name', () => withEntry({ path: '/etc/passwd', body: nothing }), { code: 'path-leads-out', says: /leads out/ }],
  ['../ in a listed path', () => entry({ path: 'blobs/sha256/../../../x' }), { code: 'bad-manifest', says: /entries\.2\.path/ }],
  ['../ in a bundle', () => inBundle({ path: '../../evil/bundle.yaml' }), { code: 'bad-manifest', says: /without "\.\."/ }],
  ['an absolute path in a bundle', () => inBundle({ path: '/etc/cron.d/x' }), { code: 'bad-manifest', says: /plain path/ }],
  ['a bundle whose name leads out', () => signed((m) => ({ ...m, bundles: m.bundles.map((b) => ({ ...b, name: '../x' })) })), { code: 'bad-manifest', says: /bundles\.0\.name/ }],
  ['an artifact whose name leads out', () => signed((m) => ({ ...m, artifacts: m.artifacts.map((a) => ({ ...a, name: '../../x' })) })), { code: 'bad-manifest', says: /no name of an artifact/ }],
  ['a symbolic link out', () => withEntry({ path: 'blobs/sha256/x', body: nothing, type: 'SymbolicLink', linkpath: '/etc/shadow' }), { code: 'not-a-plain-file', says: /SymbolicLink to "\/etc\/shadow"/ }],
  ['a hard link out', () => withEntry({ path: 'x', body: nothing, type: 'Link', linkpath: '../../etc/shadow' }), { code: 'not-a-plain-file', says: /of the kind Link/ }],
  ['a link in place of a listed entry', () => inPlace({ type: 'SymbolicLink', body: nothing, linkpath: '/x' }), { code: 'not-a-plain-file', says: /SymbolicLink/ }],
  ['a device', () => withEntry({ path: 'null', body: nothing, type: 'CharacterDevice' }), { code: 'not-a-plain-file', says: /CharacterDevice/ }],
  ['a folder', () => withEntry({ path: 'blobs/', body: nothing, type: 'Directory' }), { code: 'not-a-plain-file', says: /Directory/ }],
  ['an extended header that gives another name', () => withEntry({ path: 'pax', body: Buffer.from('20 path=../../evil\n'), type: 'ExtendedHeader' }), { code: 'not-a-plain-file', says: /ExtendedHeader/ }],
  ['a long name ahead of an entry', () => withEntry({ path: '././@LongLink', body: Buffer.from('../../evil'), type: 'NextFileHasLongPath' }), { code: 'not-a-plain-file', says: /NextFileHasLongPath/ }],
  ['an entry that is not listed', () => withEntry({ path: 'blobs/sha256/0', body: nothing }), { code: 'not-listed', says: /not in its manifest/ }],
  ['an entry that is not listed, at the end', () => withEntry({ path: 'more', body: nothing }, 99), { code: 'not-listed', says: /"more"/ }],
  ['a listed entry that is missing', () => oursForm(entriesOf(made.bytes).toSpliced(5, 1)), { code: 'missing', says: /is not there/ }],
  ['the last entry missing', () => oursForm(entriesOf(made.bytes).slice(0, -1)), { code: 'missing', says: /is not in the file/ }],
  ['an entry twice', () => withEntry(entriesOf(made.bytes)[4] ?? { path: '', body: nothing }, 5), { code: 'twice', says: /twice/ }],
  ['an entry listed twice', () => signed((m) => ({ ...m, entries: [...m.entries, ...m.entries.slice(-1)] })), { code: 'bad-manifest', says: /listed twice/ }],
  ['a file of a bundle twice', () => signed((m) => ({ ...m, bundles: m.bundles.map((b) => ({ ...b, files: [...b.files, ...b.files.slice(0, 1)] })) })), { code: 'bad-manifest', says: /there twice/ }],
  ['an artifact of a blob that is not there', () => signed((m) => ({ ...m, artifacts: m.artifacts.map((a) => (a.kind === 'file' ? { ...a, blob: { sha256: '0'.repeat(64), size: 1 } } : a)) })), { code: 'bad-manifest', says: /not in the file/ }],
  ['a header that promises 8 GiB: a bomb', () => inPlace({ size: 8 * 2 ** 30 - 1 }), { code: 'wrong-size', says: /8589934591 bytes; the manifest says 15/ }],
  ['a body that is longer than listed', () => inPlace({ body: Buffer.alloc(100_000) }), { code: 'wrong-size', says: /100000 bytes/ }],
  ['a body that is shorter than listed', () => inPlace({ body: Buffer.alloc(1) }), { code: 'wrong-size', says: /says that it has 1 bytes/ }],
  ['a signer who lists more than a file may have', () => entry({ size: bundleFileLimits.entryBytes + 1 }), { code: 'bad-manifest', says: /entries\.2\.size/ }],
  ['a file of a bundle that is too large', () => inBundle({ size: bundleFileLimits.bundleFileBytes + 1 }), { code: 'bad-manifest', says: /larger than a file of a bundle may be/ }],
  ['a manifest that is too large', () => inPlace({ size: bundleFileLimits.manifestBytes + 1 }, 0), { code: 'manifest-too-large', says: /at most 8388608/ }],
  ['thousands of entries', () => signed((m) => ({ ...m, entries: Array.from({ length: bundleFileLimits.entries + 1 }, (_, i) => ({ path: `blobs/sha256/${String(i).padStart(64, '0')}`, sha256: String(i).padStart(64, '0'), size: 0, what: '' })) })), { code: 'bad-manifest', says: /entries/ }],
  ['a field that nobody knows', () => signed((m) => ({ ...m, surprise: 1 })), { code: 'bad-manifest', says: /surprise/ }],
  ['a bundle that cannot be used', () => signed((m) => ({ ...m, bundles: m.bundles.map((b) => ({ ...b, files: b.files.slice(0, 1) })) })), { code: 'bad-bundle', says: /no Chart\.yaml/ }],
  ['a bundle of another version than it says', () => signed((m) => ({ ...m, bundles: m.bundles.map((b) => ({ ...b, version: '9.9.9' })) })), { code: 'bad-bundle', says: /9\.9\.9, whose bundle\.yaml says shop 1\.0\.0/ }],
  ['a file and a folder of one name in a bundle', () => signed((m) => ({ ...m, bundles: m.bundles.map((b) => ({ ...b, files: [...b.files, { ...b.files[0], path: 'bundle.yaml/x' }] })) })), { code: 'bad-bundle', says: /bundle\.yaml\/x/ }],
  ['something behind the end', () => Buffer.concat([made.bytes, Buffer.from('x')]), { code: 'not-in-form', says: /behind the end/ }],
  ['something in the padding', () => { const bytes = Buffer.from(made.bytes); bytes[bytes.length - 1024 - 1] = 1; return bytes; }, { code: 'not-in-form', says: /hidden behind/ }],
  ['other headers than ours', () => tarOf(entriesOf(made.bytes)), { code: 'not-in-form', says: /one form/ }],
  ['a file that ends half-way', () => made.bytes.subarray(0, -2000), { code: 'truncated', says: /the file ends within/ }],
  ['a file without its end', () => made.bytes.subarray(0, -512), { code: 'truncated', says: /its end/ }],
  ['no bytes', () => nothing, { code: 'not-a-bundle-file', says: /ends before manifest\.json/ }],
  ['another file', () => Buffer.alloc(5000, 'x'), { code: 'not-in-form', says: /there is none/ }],
]; // prettier-ignore

test.each(attacks)('refused before anything is written: %s', async (_, file, expected) => {
  const before = listing(join(dir, 'to'));
  const error = await refusal(file(), expected.checks);
  expect({ code: error.code, message: error.message }).toEqual({ code: expected.code, message: expect.stringMatching(expected.says) as string });
  expect(error.remedy).not.toBe('');
  expect(listing(join(dir, 'to'))).toEqual(before);
});

test('cut at any place, a file is refused and nothing stays', async () => {
  const before = listing(join(dir, 'to'));
  for (let at = 0; at < made.bytes.length; at += 509) expect((await refusal(made.bytes.subarray(0, at))).code).toMatch(/^(truncated|not-a-bundle-file)$/);
  expect(listing(join(dir, 'to'))).toEqual(before);
});

test('any one byte changed, a file is refused and nothing stays', async () => {
  const before = listing(join(dir, 'to'));
  for (let at = 0; at < made.bytes.length; at += 97) {
    const bytes = Buffer.from(made.bytes);
    bytes[at] = (bytes[at] ?? 0) ^ 4;
    await refusal(bytes);
  }
  expect(listing(join(dir, 'to'))).toEqual(before);
});

test('a file that has no room is refused ahead of its first blob; a source that breaks leaves nothing', async () => {
  const before = listing(join(dir, 'to'));
  there.room = async () => 1000;
  expect((await refusal(made.bytes)).code).toBe('no-room');
  there.room = async () => 1e12;
  const breaks = Readable.from((async function* () { yield* pieces(made.bytes.subarray(0, 6000)); throw new Error('the line broke'); })()); // prettier-ignore
  await expect(takeBundleFile(breaks, checks(), there)).rejects.toThrow('the line broke');
  expect(listing(join(dir, 'to'))).toEqual(before);
});

test('a bundle of a version that is here with other files is refused', async () => {
  await take(made.bytes);
  const before = listing(join(dir, 'to'));
  const bytes = signed((m) => ({
    ...m,
    version: '1.3.0',
    bundles: m.bundles.map((b) => ({ ...b, files: [...b.files, { ...b.files[0], path: 'notes.txt' }] })),
  }));
  expect(await refusal(bytes)).toMatchObject({ code: 'other-content', message: expect.stringContaining('shop 1.0.0 already') as string });
  expect(listing(join(dir, 'to'))).toEqual(before);
});

test('a packed chart in a chart that unpacks to far more than a chart has is refused', async () => {
  const folder = shopFolder(join(dir, 'bomb'));
  mkdirSync(join(folder, 'charts/web/charts'));
  const packed = join(folder, 'charts/web/charts/part-1.0.0.tgz');
  const file = async (content: Buffer): Promise<Buffer> => {
    writeFileSync(packed, content);
    return (await makeBundleFile(new ArtifactStore(join(dir, 'bombs')), ours, { folder })).bytes;
  };
  const before = listing(join(dir, 'to'));
  expect((await refusal(await file(gzipSync(Buffer.alloc(80 << 20))))).message).toMatch(
    /part-1\.0\.0\.tgz of the bundle "shop" in it unpacks to more than 67108864 bytes/,
  );
  expect((await refusal(await file(Buffer.from('no archive')))).message).toMatch(/cannot be unpacked/);
  expect(listing(join(dir, 'to'))).toEqual(before);
  expect(await take(await file(gzipSync(Buffer.alloc(1000))))).toMatchObject({ kept: [] });
});

test('a look needs no trust, and reads all of it', async () => {
  const { trusted: _, taken: __, ...look } = checks({ now: Date.parse(made.manifest.created) + day });
  expect(await readBundleFile(pieces(made.bytes, 7), look)).toMatchObject({
    signer: fingerprintOf(ours.publicKey),
    manifest: { name: 'site', version: '1.2.0' },
  });
  await expect(readBundleFile(pieces(flipped(/^blobs/)), look)).rejects.toThrow('has sha256');
});
