import { z } from 'zod';
import { Artifact, CatalogEntry } from './artifact';
import { ClusterSpec } from './cluster-spec';
import { Name, Sha256, Version } from './names';

/** Bounds of one bundle file. Whatever is over them is refused before a byte of it is kept. */
export const bundleFileLimits = { manifestBytes: 8 << 20, entries: 10_000, entryBytes: 8 * 2 ** 30 - 1, bundleFileBytes: 1 << 20 } as const;

/** The fingerprint of a bundle key: SHA-256 of its raw public half, base64 as addresses take it. */
export const Fingerprint = z.string().regex(/^SHA256:[A-Za-z0-9_-]{43}$/, 'must be a fingerprint as `strata bundle trust --list` prints it: SHA256:…').meta({ id: 'Fingerprint' }); // prettier-ignore
const Size = z.int().nonnegative().max(bundleFileLimits.entryBytes);
const When = z.iso.datetime();

/** One file of the tar after manifest and signature, in its order. `what`: for a person. */
export const BundleFileEntry = z.strictObject({
  path: z.string().regex(/^(oci-layout|index\.json|blobs\/sha256\/[0-9a-f]{64})$/, 'must be oci-layout, index.json or blobs/sha256/DIGEST'),
  sha256: Sha256,
  size: Size,
  what: z.string().max(300),
});
export type BundleFileEntry = z.infer<typeof BundleFileEntry>;

/** A file of a bundle's folder: plain names only, no way up, no way out. */
const FolderPath = z.string().max(200).regex(/^(?!\.{1,2}(\/|$))[A-Za-z0-9._-]+(\/(?!\.{1,2}(\/|$))[A-Za-z0-9._-]+)*$/, 'must be a plain path inside the bundle, without ".."'); // prettier-ignore
export const PackedBundle = z.strictObject({
  name: Name,
  version: Version,
  files: z.array(z.strictObject({ path: FolderPath, sha256: Sha256, size: Size.max(bundleFileLimits.bundleFileBytes, 'is larger than a file of a bundle may be') })).min(1), // prettier-ignore
});
export type PackedBundle = z.infer<typeof PackedBundle>;

/** What a bundle file says of itself; the signature is over exactly its bytes. */
export const BundleFileManifest = z
  .strictObject({
    apiVersion: z.literal('strata/v1'),
    kind: z.literal('BundleFile'),
    format: z.literal(1),
    name: Name,
    version: Version,
    created: When,
    expires: When,
    strata: Version, // which made it: an older one does not take it
    catalog: z.array(CatalogEntry), // what the artifacts are to a server whose own catalog does not name them
    artifacts: z.array(Artifact),
    bundles: z.array(PackedBundle),
    entries: z.array(BundleFileEntry).min(1).max(bundleFileLimits.entries),
  })
  .superRefine((m, ctx) => {
    for (const { path, message } of manifestIssues(m)) ctx.addIssue({ code: 'custom', path, message });
  })
  .meta({ id: 'BundleFileManifest' });
export type BundleFileManifest = z.infer<typeof BundleFileManifest>;

interface Found {
  path: (string | number)[];
  message: string;
}
/** What does not fit together: something named twice, a blob that is not in the file, a key that would lead out of its folder. */
function manifestIssues(m: Pick<BundleFileManifest, 'entries' | 'artifacts' | 'bundles' | 'catalog'>): Found[] {
  const found: Found[] = [];
  const there = new Map<string, number>();
  const paths = new Set<string>();
  m.entries.forEach((e, i) => {
    if (paths.has(e.path)) found.push({ path: ['entries', i, 'path'], message: `${e.path} is listed twice` });
    paths.add(e.path);
    if (!e.path.startsWith('blobs/')) return;
    if (e.path !== `blobs/sha256/${e.sha256}`) found.push({ path: ['entries', i, 'path'], message: `${e.path} is listed with the digest ${e.sha256}` });
    there.set(e.sha256, e.size);
  });
  const mustHave = (blob: { sha256: string; size: number }, path: (string | number)[]): void => {
    if (there.get(blob.sha256) !== blob.size) found.push({ path, message: `blob ${blob.sha256} of ${blob.size} bytes is not in the file` });
  };
  const keys = new Set<string>();
  const once = (key: string, path: (string | number)[]): void => {
    if (keys.has(key)) found.push({ path, message: `${key} is there twice` });
    keys.add(key);
  };
  m.artifacts.forEach((a, i) => {
    if (!ArtifactName.test(a.name)) found.push({ path: ['artifacts', i, 'name'], message: `"${a.name}" is no name of an artifact` });
    once(`artifact ${a.name}@${a.version}`, ['artifacts', i]);
    (a.kind === 'image' ? a.blobs : [a.blob]).forEach((b) => mustHave(b, ['artifacts', i]));
  });
  m.catalog.forEach((e, i) => {
    if (!m.artifacts.some((a) => a.name === e.name && a.version === e.version && a.kind === e.kind))
      found.push({ path: ['catalog', i], message: `${e.name}@${e.version} is no artifact of this file` });
  });
  m.bundles.forEach((b, i) => {
    once(`bundle ${b.name}`, ['bundles', i]);
    const folder = new Set<string>();
    b.files.forEach((f, j) => {
      if (folder.has(f.path)) found.push({ path: ['bundles', i, 'files', j], message: `${f.path} is there twice` });
      folder.add(f.path);
      mustHave(f, ['bundles', i, 'files', j]);
    });
  });
  return found;
}
const ArtifactName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

/** `strata bundle create`: what a cluster of this spec needs, or these bundles and artifacts by name. */
export const CreateBundleFile = z
  .strictObject({
    name: Name,
    version: Version,
    validMs: z.int().positive(),
    spec: ClusterSpec.optional(),
    bundles: z.array(z.string().min(1)).default([]),
    artifacts: z.array(z.strictObject({ name: z.string().min(1), version: Version })).default([]),
  })
  .refine((b) => b.spec !== undefined || b.bundles.length + b.artifacts.length > 0, {
    message: 'needs a spec, bundles or artifacts: else there is nothing to pack',
  }) // prettier-ignore
  .meta({ id: 'CreateBundleFile' });
export type CreateBundleFile = z.infer<typeof CreateBundleFile>;

/** How far the making of a file is. `ready`: its bytes can be taken. */
export const BundleFileMaking = z
  .object({
    id: z.string(),
    state: z.enum(['obtaining', 'ready', 'failed']),
    note: z.string(),
    done: z.int(),
    total: z.int(),
    size: z.int().optional(), // bytes of the whole file
  })
  .meta({ id: 'BundleFileMaking' });
export type BundleFileMaking = z.infer<typeof BundleFileMaking>;

/** A file that this server took. */
export const BundleFileTaken = z
  .object({
    name: z.string(),
    version: z.string(),
    signer: z.string(),
    digest: Sha256, // of its manifest
    created: z.string(),
    expires: z.string(),
    artifacts: z.array(z.string()), // name@version
    bundles: z.array(z.string()),
    at: z.string(),
    by: z.string(),
  })
  .meta({ id: 'BundleFileTaken' });
export type BundleFileTaken = z.infer<typeof BundleFileTaken>;
/** What taking a file changed. `kept`: what this server has otherwise already, and goes on with. */
export const BundleFilePushed = z.object({ taken: BundleFileTaken, added: z.int(), kept: z.array(z.string()) }).meta({ id: 'BundleFilePushed' });
export type BundleFilePushed = z.infer<typeof BundleFilePushed>;

/** Whose files this server takes: its own, and those of the keys that an admin trusts. */
export const BundleTrust = z
  .object({ own: Fingerprint, trusted: z.array(z.object({ fingerprint: Fingerprint, at: z.string(), by: z.string() })) })
  .meta({ id: 'BundleTrust' });
export type BundleTrust = z.infer<typeof BundleTrust>;
export const TrustBundleKey = z.strictObject({ fingerprint: Fingerprint }).meta({ id: 'TrustBundleKey' });
export type TrustBundleKey = z.infer<typeof TrustBundleKey>;
