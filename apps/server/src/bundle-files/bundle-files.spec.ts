import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { dirname, join } from 'node:path';
import { ArtifactStore } from '@strata/artifacts';
import { type BundleFileMaking, type BundleFileTaken, type BundleTrust, canonicalJson } from '@strata/model';
import { hashToken } from '@strata/pki';
import { catalogOf } from '@strata/planner/testing';
import { TestServer } from '../testing/test-server';
import { Bundles } from '../artifacts/bundles';
import { ObtainArtifacts } from '../artifacts/obtain-artifacts';

let dir: string;
let maker: TestServer;
let taker: TestServer;

/** A catalog of the real names, which only a mirror has. */
function catalog(folder: string, without: string): string {
  const entries = catalogOf().entries.filter((e) => e.name !== without);
  const artifacts = entries.map(({ version, ...e }) => ({ ...e, versions: [version], sources: [{ from: 'mirror', path: 'x' }] }));
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'all.yaml'), JSON.stringify({ artifacts }));
  return folder;
}
async function mirror(folder: string): Promise<string> {
  const store = new ArtifactStore(folder);
  for (const { name, version, kind, ref } of catalogOf().entries) {
    const blob = await store.putText(`${name} ${version}`);
    if (kind !== 'image') await store.recordObtained({ kind, name, version, blob });
    else await store.recordObtained({ kind, name, version, ref: ref ?? '', blobs: [{ ...blob, mediaType: 'm' }, { ...(await store.putText(`config ${name}`)), mediaType: 'c' }] });
  }
  return folder;
} // prettier-ignore
function shop(home: string, version: string): void {
  const files = {
    'bundle.yaml': `{ apiVersion: strata/v1, kind: Bundle, metadata: { name: shop, version: ${version} }, images: [{ name: image-web, version: '1.0' }], components: [{ name: web, kind: chart, chart: charts/web }] }`,
    'charts/web/Chart.yaml': `name: web # ${version}\n`,
  };
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(home, 'shop', path)), { recursive: true });
    writeFileSync(join(home, 'shop', path), text);
  }
}
const spec = {
  ...{ apiVersion: 'strata/v1', kind: 'Cluster', metadata: { name: 'home' } },
  spec: { distribution: { kind: 'kubernetes', version: '1.37.2' }, nodes: [{ name: 'n1', role: 'control-plane', join: 'token' }], bundles: ['shop'] },
};

beforeAll(async () => {
  dir = mkdtempSync('/var/tmp/strata-bundle-files-');
  shop(join(dir, 'bundles'), '1.0.0');
  [maker, taker] = await Promise.all([
    TestServer.start({ catalogDir: catalog(join(dir, 'a'), ''), mirrorDirs: [await mirror(join(dir, 'mirror'))], bundleDir: join(dir, 'bundles') }),
    TestServer.start({ catalogDir: catalog(join(dir, 'b'), 'image-web') }),
  ]);
}, 120_000);
afterAll(async () => {
  await Promise.all([maker.remove(), taker.remove()]);
  rmSync(dir, { recursive: true, force: true });
}, 60_000);

/** Makes a file and takes its bytes. */
async function made(body: object): Promise<Buffer> {
  const { status, body: begun } = await maker.call('POST', '/v1/bundle-files/made', { body: { validMs: 86_400_000, ...body } });
  expect({ status, begun }).toMatchObject({ status: 202 });
  for (;;) {
    const { body: now } = (await maker.call('GET', `/v1/bundle-files/made/${(begun as BundleFileMaking).id}`)) as { body: BundleFileMaking };
    if (now.state === 'failed') throw new Error(now.note);
    if (now.state === 'ready') {
      const bytes = (await raw(maker, { method: 'GET', path: `/v1/bundle-files/made/${now.id}/content` })).bytes;
      expect(bytes.length).toBe(now.size);
      return bytes;
    }
    await new Promise((wait) => setTimeout(wait, 20));
  }
}
interface Raw {
  method: string;
  path: string;
  body?: Buffer;
  token?: string;
  /** Breaks off after this many bytes. */
  cut?: number;
}
function raw(server: TestServer, { method, path, body, token = server.token, cut }: Raw): Promise<{ status: number; bytes: Buffer }> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/octet-stream', 'content-length': body.length }) };
    const out = request({ host: '127.0.0.1', port: server.serving.ports.api, method, path, headers, ca: server.ca, agent: false }, (answer) => {
      const parts: Buffer[] = [];
      answer.on('data', (part: Buffer) => parts.push(part));
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, bytes: Buffer.concat(parts) }));
    });
    out.on('error', reject);
    if (cut === undefined) out.end(body);
    else out.write(body?.subarray(0, cut), () => setTimeout(() => out.destroy(), 50));
  });
}
const push = async (body: Buffer, token?: string): Promise<{ status: number; body: Record<string, unknown> }> => {
  const { status, bytes } = await raw(taker, { method: 'POST', path: '/v1/bundle-files', body, ...(token !== undefined && { token }) });
  return { status, body: JSON.parse(bytes.toString()) as Record<string, unknown> };
};
/** The server learns of a broken connection a moment later. */
async function pushedAtLast(body: Buffer): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    const { status } = await push(body);
    if (status === 200) return;
    expect([status, tries < 200]).toEqual([409, true]);
    await new Promise((wait) => setTimeout(wait, 20));
  }
}
const trusted = async (server: TestServer): Promise<BundleTrust> => (await server.call('GET', '/v1/bundle-keys')).body as BundleTrust;

test('made of a spec on one server, a file brings all that a plan needs to another, which can reach nothing', async () => {
  const bytes = await made({ name: 'site', version: '1.0.0', spec });
  const { own } = await trusted(maker);

  expect(await push(bytes)).toMatchObject({ status: 422, body: { code: 'bundle-file-unknown-signer', detail: expect.stringContaining(own) as string } });
  expect(await taker.serving.app.get(ObtainArtifacts).store.allObtained()).toEqual({});
  expect((await taker.call('GET', '/v1/bundle-files')).body).toEqual([]);

  expect((await taker.call('POST', '/v1/bundle-keys', { body: { fingerprint: own } })).body).toMatchObject({ trusted: [{ fingerprint: own }] });
  expect(await push(bytes)).toMatchObject({ status: 200, body: { kept: [], taken: { name: 'site', version: '1.0.0', signer: own, bundles: ['shop@1.0.0'] } } });
  const [taken] = (await taker.call('GET', '/v1/bundle-files')).body as BundleFileTaken[];
  for (const name of ['containerd', 'kubelet', 'image-etcd', 'image-web', 'helm']) expect(taken?.artifacts.some((a) => a.startsWith(`${name}@`))).toBe(true);
  for (const name of ['k3s', 'juicefs']) expect(taken?.artifacts.some((a) => a.startsWith(`${name}@`))).toBe(false);

  // an entry that the taker's own catalog does not name is one now, and is had without a way out
  const artifacts = taker.serving.app.get(ObtainArtifacts);
  const doing = { progress: () => undefined, signal: new AbortController().signal, unofficial: false };
  expect(await artifacts.obtain({ name: 'image-web', version: '1.0' }, doing)).toMatchObject({ ref: 'strata.local/web:1' });
  expect((await taker.serving.app.get(Bundles).read(['shop'])).shop).toMatchObject({ version: '1.0.0', images: [{ name: 'image-web' }] });
  const audited = await taker.edges.store.audit.list();
  expect(audited.map((a) => a.action)).toEqual(expect.arrayContaining(['bundle-file.refuse', 'bundle-key.trust', 'bundle-file.take']));
}); // prettier-ignore

test('older ones, and others of one version, are refused; the same again is not', async () => {
  const [old, now] = [await made({ name: 'age', version: '1.9.0', artifacts: [{ name: 'helm', version: helm() }] }), await made({ name: 'age', version: '1.10.0', artifacts: [{ name: 'helm', version: helm() }] })]; // prettier-ignore
  expect(await push(now)).toMatchObject({ status: 200 });
  expect(await push(now)).toMatchObject({ status: 200, body: { added: 0 } });
  expect(await push(old)).toMatchObject({ status: 422, body: { code: 'bundle-file-older' } });
  const other = await made({ name: 'age', version: '1.10.0', bundles: ['shop'] });
  expect(await push(other)).toMatchObject({ status: 422, body: { code: 'bundle-file-other-content' } });
});
const helm = (): string => catalogOf().entries.find((e) => e.name === 'helm')?.version ?? '';

test('a pushed bundle of a higher version goes before our own, one of a lower does not; a plan finds the chart that it was made of', async () => {
  const own = join(taker.settings.bundleDir);
  const bundles = taker.serving.app.get(Bundles);
  const before = (await bundles.read(['shop'])).shop;
  shop(own, '1.5.0');
  expect((await bundles.read(['shop'])).shop).toMatchObject({ version: '1.5.0' });
  shop(join(dir, 'bundles'), '2.0.0');
  expect(await push(await made({ name: 'shop', version: '2.0.0', bundles: ['shop'] }))).toMatchObject({ status: 200 });
  expect((await bundles.read(['shop'])).shop).toMatchObject({ version: '2.0.0' });
  const digest = before?.components[0]?.digest ?? '';
  expect(await bundles.chartDir({ bundle: 'shop', chart: 'charts/web', digest })).toBe(join(taker.settings.pushedDir, 'shop/1.0.0/charts/web'));
  await expect(bundles.chartDir({ bundle: 'shop', chart: 'charts/web', digest: '0'.repeat(64) })).rejects.toMatchObject({ code: 'bundle-changed' });
});

test('an upload that breaks off leaves nothing, and the next one is taken', async () => {
  const bytes = await made({ name: 'broken', version: '1.0.0', bundles: ['shop'] });
  const records = async (): Promise<string> => canonicalJson((await taker.call('GET', '/v1/bundle-files')).body);
  const before = await records();
  await expect(raw(taker, { method: 'POST', path: '/v1/bundle-files', body: bytes, cut: bytes.length - 3000 })).rejects.toThrow();
  expect(await records()).toBe(before);
  await pushedAtLast(bytes);
});

test('one is taken at a time; one that stops half-way holds up nobody for ever', async () => {
  const bytes = await made({ name: 'slow', version: '1.0.0', bundles: ['shop'] });
  const headers = { authorization: `Bearer ${taker.token}`, 'content-type': 'application/octet-stream', 'content-length': bytes.length };
  const slow = request({ host: '127.0.0.1', port: taker.serving.ports.api, method: 'POST', path: '/v1/bundle-files', headers, ca: taker.ca, agent: false });
  slow.on('error', () => undefined).write(bytes.subarray(0, 2000));
  for (let tries = 0; (await push(bytes)).status !== 409; tries += 1) if (tries > 100) throw new Error('the second was never told of the first'); // prettier-ignore
  slow.destroy();
  await pushedAtLast(bytes);
});

test('only an admin makes, takes and trusts; a key that is not trusted any more is refused again', async () => {
  const token = 'strata_api_BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB';
  await taker.edges.store.apiTokens.add({ hash: hashToken(token), name: 'op', role: 'operator' });
  expect(await push(Buffer.from('x'), token)).toMatchObject({ status: 403 });
  const { own } = await trusted(maker);
  expect(await taker.call('POST', '/v1/bundle-keys', { token, body: { fingerprint: own } })).toMatchObject({ status: 403 });
  expect(await taker.call('POST', '/v1/bundle-keys', { body: { fingerprint: 'SHA256:x' } })).toMatchObject({ status: 400 });
  expect(await taker.call('DELETE', `/v1/bundle-keys/${encodeURIComponent(own)}`)).toMatchObject({ status: 200, body: { trusted: [] } });
  expect(await taker.call('DELETE', `/v1/bundle-keys/${encodeURIComponent(own)}`)).toMatchObject({ status: 404 });
  expect(await push(await made({ name: 'late', version: '1.0.0', bundles: ['shop'] }))).toMatchObject({ body: { code: 'bundle-file-unknown-signer' } });
});

test('what there is not cannot be packed', async () => {
  const create = async (body: object): Promise<unknown> => maker.call('POST', '/v1/bundle-files/made', { body: { name: 'x', version: '1.0.0', validMs: 1000, ...body } });
  expect(await create({ bundles: ['none'] })).toMatchObject({ status: 422, body: { detail: expect.stringContaining('there is no bundle "none"; there are: shop') as string } });
  expect(await create({ artifacts: [{ name: 'helm', version: '0.0.1' }] })).toMatchObject({ status: 422, body: { code: 'not-in-catalog' } });
  expect(await create({})).toMatchObject({ status: 400 });
  expect(await maker.call('GET', '/v1/bundle-files/made/00000000-0000-4000-8000-000000000000')).toMatchObject({ status: 404 });
}); // prettier-ignore
