import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Sha256, type ArtifactSource, type CatalogEntry, type ImageArtifact } from '@strata/model';
import { z } from 'zod';
import { download, downloadText, open, readSmall } from './download';
import { LockedDigestError } from './failure';
import type { VendorOptions } from './vendor';

export type RegistrySource = Extract<ArtifactSource, { from: 'registry' }>;

const Digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const Described = z.object({ mediaType: z.string(), digest: Digest, size: z.int().nonnegative() });
const Index = z.object({ manifests: z.array(z.object({ ...Described.shape, platform: z.object({ architecture: z.string(), os: z.string() }).optional() })) });
const Manifest = z.object({ mediaType: z.string().optional(), config: Described, layers: z.array(Described) });
const Pinned = z.object({ image: z.string(), sha256: Sha256 });

const manifestTypes = ['application/vnd.oci.image.manifest.v1+json', 'application/vnd.docker.distribution.manifest.v2+json'];
const indexTypes = ['application/vnd.oci.image.index.v1+json', 'application/vnd.docker.distribution.manifest.list.v2+json'];

/**
 * Pulls an image for linux/amd64 from a registry that serves it without an account. Every blob is checked against its digest; the manifest's digest is
 * pinned by the catalog, else by the lock of the first pull: a tag that moves later is refused. Layers stay as the vendor packed them.
 */
export async function fetchImage(
  source: RegistrySource,
  entry: Pick<CatalogEntry, 'name' | 'version' | 'ref'>,
  options: VendorOptions,
): Promise<ImageArtifact> {
  if (!entry.ref) throw new Error(`the catalog gives no ref for the image ${entry.name}`);
  const { store } = options;
  const record = `image-${createHash('sha256').update(source.image).digest('hex')}`;
  const lock = Pinned.safeParse(await store.readRecord('pinned', record)).data?.sha256;
  if (lock && source.sha256 && lock !== source.sha256)
    throw new LockedDigestError(source.image, lock, { sha256: source.sha256, lock: `pinned/${record}.json` });
  const slash = source.image.indexOf('/');
  const colon = source.image.lastIndexOf(':');
  const registry = new Registry(source.image.slice(0, slash), source.image.slice(slash + 1, colon), options);
  const { manifest, sha256, body, mediaType } = await registry.manifest(source.sha256 ?? lock, source.image.slice(colon + 1));
  const blobs = [manifest.config, ...manifest.layers].map((d) => ({ sha256: d.digest.slice(7), size: d.size, mediaType: d.mediaType }));
  for (const [at, blob] of blobs.entries()) {
    if (!(await store.has(blob)))
      await registry.blob(blob.sha256, (p) => options.progress({ ...p, note: `${source.image}: part ${at + 1} of ${blobs.length}` }));
  }
  const stored = await store.putText(body);
  await store.writeRecord('pinned', record, { image: source.image, sha256 });
  return { kind: 'image', name: entry.name, version: entry.version, ref: entry.ref, blobs: [{ ...stored, mediaType }, ...blobs] };
}

class Registry {
  private token: string | undefined;
  private readonly base: string;

  constructor(
    host: string,
    private readonly name: string,
    private readonly options: VendorOptions,
  ) {
    this.base = `https://${host}/v2/${name}`;
  }

  /** The manifest of a digest, or of a tag; an index is followed to linux/amd64. */
  async manifest(sha256: string | undefined, tag: string): Promise<{ manifest: z.infer<typeof Manifest>; sha256: string; body: string; mediaType: string }> {
    let wanted = sha256 === undefined ? tag : `sha256:${sha256}`;
    for (let depth = 0; depth < 3; depth++) {
      const { body, type } = await this.getManifest(wanted);
      const digest = createHash('sha256').update(body).digest('hex');
      if (wanted.startsWith('sha256:') && wanted !== `sha256:${digest}`) throw new Error(`${this.base}/manifests/${wanted} gave bytes of sha256 ${digest}`);
      const value: unknown = JSON.parse(body);
      if (!indexTypes.includes(type)) return { manifest: Manifest.parse(value), sha256: digest, body, mediaType: Manifest.parse(value).mediaType ?? type };
      const fit = Index.parse(value).manifests.find((m) => m.platform?.os === 'linux' && m.platform.architecture === 'amd64');
      if (!fit) throw new Error(`${this.base}:${tag} has no image for linux/amd64`);
      wanted = fit.digest;
    }
    throw new Error(`${this.base}:${tag} is an index of an index of an index`);
  }

  /** Puts a layer or config into the store, going on from where an earlier try stopped. */
  async blob(sha256: string, progress: VendorOptions['progress']): Promise<void> {
    const { store } = this.options;
    const part = join(store.dir, 'work', `part-${sha256}`);
    await store.locked(`blob-${sha256}`, async () => {
      if ((await store.sizeOf(sha256)) !== undefined) return;
      const url = `${this.base}/blobs/sha256:${sha256}`;
      await download(this.at(url), part, { ...this.options, progress, headers: this.headers() });
      await rm(`${part}.etag`, { force: true });
      await store.putFile(part, { sha256, what: url });
    });
  }

  private async getManifest(wanted: string): Promise<{ body: string; type: string }> {
    const url = this.at(`${this.base}/manifests/${wanted}`);
    const ask = async () => open(url, { ...this.options, headers: { ...this.headers(), accept: [...manifestTypes, ...indexTypes].join(', ') } }, [200, 401]);
    let { response } = await ask();
    if (response.statusCode === 401) {
      response.destroy();
      await this.login(response.headers['www-authenticate'] ?? '');
      ({ response } = await ask());
    }
    if (response.statusCode !== 200) throw new Error(`${url} wants an account (answered ${response.statusCode})`);
    const body = (await readSmall(response, url)).toString();
    return { body, type: (response.headers['content-type'] ?? '').split(';')[0] ?? '' };
  }

  /** Takes an anonymous token, as public registries want it. */
  private async login(challenge: string): Promise<void> {
    const said = Object.fromEntries([...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(([, key = '', value = '']) => [key, value]));
    if (!said['realm']) throw new Error(`${this.base} wants an account: ${challenge}`);
    const url = new URL(said['realm']);
    if (said['service']) url.searchParams.set('service', said['service']);
    url.searchParams.set('scope', said['scope'] ?? `repository:${this.name}:pull`);
    const answer = z
      .object({ token: z.string().optional(), access_token: z.string().optional() })
      .parse(JSON.parse(await downloadText(this.at(url.href), this.options)));
    this.token = answer.token ?? answer.access_token;
  }

  private headers(): Record<string, string> {
    return this.token === undefined ? {} : { authorization: `Bearer ${this.token}` };
  }

  private at(url: string): string {
    return this.options.urlRewrite?.(url) ?? url;
  }
}
