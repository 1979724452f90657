import { createReadStream } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import {
  type Artifact, type BundleFileEntry, BundleFileManifest, canonicalJson, type CatalogEntry, type ImageArtifact, ociLayout, type PackedBundle, ustarEnd, ustarHeader, ustarPadding, ustarSize,
} from '@strata/model'; // prettier-ignore
import { filesBelow, readBundle } from '../read-bundle';
import { type ArtifactStore, blobsOf } from '../store';
import { type BundleSigner, signatureBytes } from './signature';

export interface BundleFileContent {
  name: string;
  version: string;
  created: string; // ISO
  expires: string;
  strata: string;
  catalog: CatalogEntry[];
  artifacts: Artifact[];
  bundles: PackedBundle[];
}

/** Puts the files of a bundle's folder into the store and says which they are. @throws Error for a bundle that cannot be used */
export async function packBundle(store: ArtifactStore, dir: string): Promise<PackedBundle> {
  const { name, version } = (await readBundle(dir)).bundle.metadata;
  const files: PackedBundle['files'] = [];
  for (const path of await filesBelow(dir, '')) files.push({ path, ...(await store.putStream(createReadStream(join(dir, path)))) });
  return { name, version, files };
}

/** The manifest of a file with this content: artifacts and bundles as blobs, each once. @throws ZodError for what a bundle file cannot hold */
export function bundleFileManifest(content: BundleFileContent): BundleFileManifest {
  const what = new Map<string, { size: number; what: string }>();
  const note = (blob: { sha256: string; size: number }, words: string): void => {
    if (!what.has(blob.sha256)) what.set(blob.sha256, { size: blob.size, what: words });
  };
  for (const a of content.artifacts) for (const b of blobsOf(a)) note(b, `${a.kind} ${a.name} ${a.version}`);
  for (const b of content.bundles) for (const f of b.files) note(f, `bundle ${b.name} ${b.version}: ${f.path}`);
  const texts = [...layoutTexts(content)].map(([path, text]): BundleFileEntry => ({ path, sha256: sha256(text), size: text.length, what: 'OCI layout' }));
  const blobs = [...what].map(([digest, b]): BundleFileEntry => ({ path: `blobs/sha256/${digest}`, sha256: digest, ...b }));
  return BundleFileManifest.parse({ apiVersion: 'strata/v1', kind: 'BundleFile', format: 1, ...content, entries: [...texts, ...blobs] });
}

/** The two small files of an OCI layout; the index names images as containerd does, other artifacts by title. */
function layoutTexts({ artifacts }: Pick<BundleFileContent, 'artifacts'>): Map<string, Buffer> {
  const texts = new Map<string, Buffer>();
  for (const entry of ociLayout(artifacts.filter((a): a is ImageArtifact => a.kind === 'image')))
    if ('text' in entry) texts.set(entry.path, Buffer.from(entry.path === 'index.json' ? withTitles(entry.text, artifacts) : entry.text));
  return texts;
}
function withTitles(index: string, artifacts: readonly Artifact[]): string {
  const { manifests, ...rest } = JSON.parse(index) as { manifests: object[] };
  const others = artifacts.flatMap((a) => (a.kind === 'image' ? [] : [{ mediaType: 'application/octet-stream', digest: `sha256:${a.blob.sha256}`, size: a.blob.size, annotations: { 'org.opencontainers.image.title': `${a.name}@${a.version}` } }])); // prettier-ignore
  return JSON.stringify({ ...rest, manifests: [...manifests, ...others] });
}
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** The bytes of a bundle file, signed. `size`: of all of it. The stream fails when a blob is not in the store, or is not what it was. */
export function bundleFile(manifest: BundleFileManifest, signer: BundleSigner, store: ArtifactStore): { stream: Readable; size: number } {
  const text = Buffer.from(canonicalJson(manifest));
  const texts = new Map([['manifest.json', text], ['manifest.sig', signatureBytes(text, signer)], ...layoutTexts(manifest)]); // prettier-ignore
  const entries = [...['manifest.json', 'manifest.sig'].map((path) => ({ path, size: texts.get(path)?.length ?? 0, sha256: '' })), ...manifest.entries];
  async function* write(): AsyncGenerator<Uint8Array> {
    for (const { path, size, sha256: digest } of entries) {
      yield ustarHeader({ path, size, mode: 0o644, type: 'file' });
      const small = texts.get(path);
      if (small) yield small;
      else yield* asStored(store, { sha256: digest, size });
      yield ustarPadding(size);
    }
    yield ustarEnd();
  }
  return { stream: Readable.from(write(), { objectMode: false }), size: ustarSize(entries.map((e) => e.size)) };
}
async function* asStored(store: ArtifactStore, blob: { sha256: string; size: number }): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  for await (const chunk of await store.read(blob)) {
    hash.update(chunk as Buffer);
    yield chunk as Buffer;
  }
  if (hash.digest('hex') !== blob.sha256) throw new Error(`the stored blob ${blob.sha256} is damaged: remove it, and obtain its artifact again`);
}
