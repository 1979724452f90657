import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Artifact, canonicalJson, type ImageArtifact, ustarHeader } from '@strata/model';
import { Header } from 'tar';
import { bundleFile, type BundleFileContent, bundleFileManifest, type BundleSigner, packBundle } from '../bundle-file';
import { signatureBytes } from '../bundle-file/signature';
import type { ArtifactStore } from '../store';

/** Somebody who signs. */
export function newSigner(): BundleSigner {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return { publicKey: publicKey.export({ type: 'spki', format: 'der' }).subarray(12), sign: (bytes) => sign(null, bytes, privateKey) };
}

export const bundleYaml = (version: string): string => `apiVersion: strata/v1
kind: Bundle
metadata: { name: shop, version: ${version} }
images: [{ name: image-web, version: '1.0' }]
components:
  - { name: web, kind: chart, chart: charts/web }
`;
/** A folder of a bundle `shop` with one chart. */
export function shopFolder(dir: string, version = '1.0.0'): string {
  const files = { 'bundle.yaml': bundleYaml(version), 'charts/web/Chart.yaml': 'apiVersion: v2\nname: web\nversion: 1.0.0\n', 'charts/web/templates/web.yaml': 'kind: ConfigMap\n' }; // prettier-ignore
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), text);
  }
  return dir;
}
export interface Made {
  content: BundleFileContent;
  manifest: ReturnType<typeof bundleFileManifest>;
  bytes: Buffer;
}
/** A bundle file of an image, a program, and the bundle in `folder`. */
export async function makeBundleFile(store: ArtifactStore, signer: BundleSigner, change: Partial<BundleFileContent> & { folder: string }): Promise<Made> {
  const { folder, ...rest } = change;
  const [manifest, config, program] = [await store.putText('manifest of web'), await store.putText('config of web'), await store.putText('a program')];
  const image: ImageArtifact = { kind: 'image', name: 'image-web', version: '1.0', ref: 'strata.local/web:1.0', blobs: [{ ...manifest, mediaType: 'application/vnd.oci.image.manifest.v1+json' }, { ...config, mediaType: 'application/vnd.oci.image.config.v1+json' }] }; // prettier-ignore
  const artifacts: Artifact[] = [image, { kind: 'file', name: 'helm', version: '4.0.0', blob: program }];
  const content: BundleFileContent = {
    name: 'site', version: '1.2.0', created: '2030-01-01T00:00:00Z', expires: '2031-01-01T00:00:00Z', strata: '0.1.0',
    catalog: [], artifacts, bundles: [await packBundle(store, folder)], ...rest,
  }; // prettier-ignore
  const made = bundleFileManifest(content);
  return { content, manifest: made, bytes: await bytesOf(bundleFile(made, signer, store).stream) };
}
export async function bytesOf(stream: AsyncIterable<unknown>): Promise<Buffer> {
  const all: Buffer[] = [];
  for await (const piece of stream) all.push(Buffer.from(piece as Uint8Array));
  return Buffer.concat(all);
}

export interface RawEntry {
  path: string;
  body: Buffer;
  type?: 'File' | 'SymbolicLink' | 'Link' | 'CharacterDevice' | 'Directory' | 'ExtendedHeader' | 'NextFileHasLongPath';
  linkpath?: string;
  /** What the header says, where that is a lie. */
  size?: number;
}
/** The entries of a tar of ours, to be changed and put together again. */
export function entriesOf(bytes: Buffer): RawEntry[] {
  const found: RawEntry[] = [];
  for (let at = 0; bytes[at] !== 0;) {
    const { path = '', size = 0 } = new Header(bytes, at);
    found.push({ path, body: bytes.subarray(at + 512, at + 512 + size) });
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return found;
}
export function tarOf(entries: readonly RawEntry[]): Buffer {
  const parts = entries.flatMap(({ path, body, type = 'File', linkpath, size }) => {
    const header = new Header({ path, type, mode: 0o644, uid: 0, gid: 0, size: size ?? body.length, mtime: new Date(0), ...(linkpath === undefined ? {} : { linkpath }) }); // prettier-ignore
    header.encode();
    return [header.block ?? Buffer.alloc(0), body, Buffer.alloc((512 - (body.length % 512)) % 512)];
  });
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}
/** The file with another manifest, signed again: what a signer whom somebody trusts could send. */
export function resigned(bytes: Buffer, signer: BundleSigner, change: (manifest: Record<string, unknown>) => unknown): Buffer {
  const [manifest, , ...rest] = entriesOf(bytes);
  const text = Buffer.from(canonicalJson(change(JSON.parse(manifest?.body.toString() ?? '') as Record<string, unknown>)));
  return fileOf([text, signatureBytes(text, signer)], rest);
}
/** A file of these two first entries and, in the form of our writer, all others. */
export function fileOf([manifest, signature]: [Buffer, Buffer], rest: readonly RawEntry[]): Buffer {
  return oursForm([{ path: 'manifest.json', body: manifest }, { path: 'manifest.sig', body: signature }, ...rest]);
}
/** As `tarOf`, but with the headers of our writer where an entry is a plain file. */
export function oursForm(entries: readonly RawEntry[]): Buffer {
  return Buffer.concat([
    ...entries.flatMap((e) => {
      const plain = (e.type ?? 'File') === 'File' && e.size === undefined;
      const whole = tarOf([e]);
      const header = plain ? Buffer.from(ustarHeader({ path: e.path, size: e.body.length, mode: 0o644, type: 'file' })) : whole.subarray(0, 512);
      return [header, whole.subarray(512, -1024)];
    }),
    Buffer.alloc(1024),
  ]);
}

/** Every file below a folder with its content's digest: for "nothing was changed". */
export function listing(dir: string): string[] {
  const names = readdirSync(dir, { recursive: true }) as string[];
  return names.map((n) => (statSync(join(dir, n)).isFile() ? `${n} ${createHash('sha256').update(readFileSync(join(dir, n))).digest('hex')}` : `${n}/`)).sort(); // prettier-ignore
}
