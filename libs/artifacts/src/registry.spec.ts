import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fetchImage, type RegistrySource } from './registry';
import { ArtifactStore } from './store';
import { listen } from './testing/file-server';

const sha = (text: string): string => createHash('sha256').update(text).digest('hex');
const described = (text: string, mediaType: string) => ({ mediaType, digest: `sha256:${sha(text)}`, size: text.length });
const oci = 'application/vnd.oci.image';
const config = '{"architecture":"amd64"}';
const layer = 'a layer'.repeat(1000);
const manifestOf = (content: string) =>
  JSON.stringify({
    schemaVersion: 2,
    mediaType: `${oci}.manifest.v1+json`,
    config: described(config, `${oci}.config.v1+json`),
    layers: [described(content, `${oci}.layer.v1.tar+gzip`)],
  });
const source: RegistrySource = { from: 'registry', image: 'registry.k8s.io/coredns/coredns:v1.14.6', publisher: 'test' };
const entry = { name: 'image-coredns', version: '1.14.6', ref: source.image };
let dir: string;
let store: ArtifactStore;
let close: (() => Promise<void>)[];
let asked: string[];

/** A registry as they are: wants a token, gives an index for the tag, keeps blobs on another host that must not see the token. */
async function registry(content = layer): Promise<(url: string) => string> {
  const manifest = manifestOf(content);
  const arm = { mediaType: `${oci}.manifest.v1+json`, digest: `sha256:${'0'.repeat(64)}`, size: 1, platform: { os: 'linux', architecture: 'arm64' } };
  const amd = { ...described(manifest, `${oci}.manifest.v1+json`), platform: { os: 'linux', architecture: 'amd64' } };
  const index = JSON.stringify({ schemaVersion: 2, manifests: [arm, amd] });
  const blobHost = await listen((request, response) => {
    asked.push(`blob host ${request.headers.authorization ?? 'no token'}`);
    response.end({ [`/${sha(config)}`]: config, [`/${sha(content)}`]: content }[request.url ?? '']);
  });
  const main = '/registry.k8s.io/v2/coredns/coredns';
  const answer: RequestListener = (request, response) => {
    const url = request.url ?? '';
    asked.push(url);
    if (url.startsWith('/auth.k8s.io/token')) return void response.end('{"token":"t0ken"}');
    if (request.headers.authorization !== 'Bearer t0ken') {
      const challenge = 'Bearer realm="https://auth.k8s.io/token",service="registry",scope="repository:coredns/coredns:pull"';
      return void response.writeHead(401, { 'www-authenticate': challenge }).end();
    }
    if (url === `${main}/manifests/v1.14.6`) return void response.writeHead(200, { 'content-type': `${oci}.index.v1+json` }).end(index);
    if (url.startsWith(`${main}/manifests/sha256:`)) return void response.writeHead(200, { 'content-type': `${oci}.manifest.v1+json` }).end(manifest);
    response.writeHead(307, { location: `${blobHost.url}/${url.slice(-64)}` }).end();
  };
  const server = await listen(answer);
  close.push(server.close, blobHost.close);
  return (url) => url.replace(/^https:\/\//, `${server.url}/`);
}
const pull = async (urlRewrite: (url: string) => string, from = source) => fetchImage(from, entry, { store, progress: () => undefined, urlRewrite });

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'registry-'));
  store = new ArtifactStore(dir);
  close = [];
  asked = [];
});
afterEach(async () => {
  await Promise.all(close.map((c) => c()));
  await rm(dir, { recursive: true });
});

describe('fetchImage', () => {
  it('pulls the amd64 image with an anonymous token that stays with the registry', async () => {
    const image = await pull(await registry());
    expect(image.ref).toBe(source.image);
    expect(image.blobs.map((b) => b.sha256)).toEqual([sha(manifestOf(layer)), sha(config), sha(layer)]);
    for (const blob of image.blobs) await store.verify(blob);
    expect(asked.filter((a) => a.startsWith('blob host'))).toEqual(['blob host no token', 'blob host no token']);
    expect(asked.find((a) => a.includes('token?'))).toContain('scope=repository%3Acoredns%2Fcoredns%3Apull');
  });

  it('refuses a tag that has moved since the first pull, and a manifest that is not the pinned one', async () => {
    await pull(await registry());
    await expect(pull(await registry('another layer'))).rejects.toThrow(`gave bytes of sha256 ${sha(manifestOf('another layer'))}`);
    const pinned = { ...source, sha256: sha('x') };
    await expect(pull(await registry(), pinned)).rejects.toThrow(`is locked to sha256 ${sha(manifestOf(layer))}`);
  });
});
