import { randomUUID } from 'node:crypto';
import { ClusterSpec } from '@strata/model';
import { Client } from 'pg';
import { openStore, type Store } from './store';
import { TestPostgres } from './testing';
import { poolConfig, type Connection } from './connection';

jest.setTimeout(60_000);
let postgres: TestPostgres;
let connection: Connection;
let store: Store;
const spec = (name: string, packages: string[] = []): ClusterSpec =>
  ClusterSpec.parse({
    apiVersion: 'strata/v1',
    kind: 'Cluster',
    metadata: { name },
    spec: { nodes: [{ name: 'n1', address: '10.0.0.1', role: 'control-plane', ssh: {} }], native: { packages } },
  });
const newCluster = async (name: string): Promise<string> => (await store.clusters.keepSpec({ id: randomUUID(), spec: spec(name), by: 'spec' })).cluster.id;

beforeAll(async () => {
  postgres = await TestPostgres.start();
  connection = await postgres.database();
  store = openStore(connection);
});
afterAll(async () => {
  await store?.close();
  await postgres?.remove();
});

test('the same spec is the same version, a changed one the next', async () => {
  const first = await store.clusters.keepSpec({ id: randomUUID(), spec: spec('home'), by: 'a' });
  expect(first).toMatchObject({ created: true, changed: true, cluster: { name: 'home', specVersion: 1 } });
  expect(await store.clusters.keepSpec({ id: randomUUID(), spec: spec('home'), by: 'a' })).toMatchObject({ created: false, changed: false });
  const second = await store.clusters.keepSpec({ id: randomUUID(), spec: spec('home', ['gcc']), by: 'b' });
  expect(second).toMatchObject({ created: false, changed: true, cluster: { id: first.cluster.id, specVersion: 2 } });
  expect((await store.clusters.spec(first.cluster.id, 1))?.spec.native.packages).toEqual([]);
  expect(await store.clusters.find('home')).toMatchObject({ id: first.cluster.id });
  await store.clusters.remove(first.cluster.id);
  expect(await store.clusters.find('home')).toBeNull();
  expect(await store.clusters.keepSpec({ id: randomUUID(), spec: spec('home'), by: 'a' })).toMatchObject({ created: true });
});

test('one run has the lease; the first control plane is claimed once', async () => {
  const clusterId = await newCluster('leases');
  const [a, b] = [randomUUID(), randomUUID()];
  const takes = await Promise.all([a, b].map((runId) => store.clusters.takeLease({ clusterId, runId, epoch: 1 })));
  expect(takes.filter((t) => t.taken)).toHaveLength(1);
  const holder = (await store.clusters.lease(clusterId))?.runId ?? '';
  expect(takes.find((t) => !t.taken)).toMatchObject({ holder: { runId: holder } });
  expect(await store.clusters.takeLease({ clusterId, runId: holder, epoch: 2 })).toEqual({ taken: true });
  await store.clusters.releaseLease(holder);
  expect(await store.clusters.takeLease({ clusterId, runId: b, epoch: 3 })).toEqual({ taken: true });
  const claims = await Promise.all([1, 2, 3].map(() => store.clusters.claimInitialization(clusterId)));
  expect(claims.filter(Boolean)).toHaveLength(1);
});

test('a node is enrolled, heard and buried; its name is free again', async () => {
  const clusterId = await newCluster('nodes');
  const want = { clusterId, name: 'n1', role: 'worker' as const, address: '10.0.0.1' };
  const both = await Promise.all([1, 2].map(() => store.nodes.plan({ id: randomUUID(), ...want })));
  expect(both[0]?.id).toBe(both[1]?.id);
  const nodeId = both[0]?.id ?? '';
  await store.nodes.keepSshSecrets(nodeId, 'box.v1.x');
  expect((await store.nodes.find(nodeId))?.sshSecrets).toBe('box.v1.x');
  expect(await store.nodes.enroll({ nodeId, certSerial: '01', machineId: 'm', hostKeys: ['k'], agentVersion: '1' })).toBe(true);
  await store.nodes.recordFacts(nodeId, { facts: { os: 'a\0b\uD800' }, digest: 'd' });
  await store.nodes.seen([{ nodeId, at: new Date(5000), skewMs: 1e12 }]);
  expect(await store.nodes.named(clusterId, 'n1')).toMatchObject({
    state: 'enrolled',
    sshSecrets: null,
    lastSeenAt: new Date(5000),
    facts: { os: 'a\uFFFDb\uFFFD' },
  });
  await store.nodes.tombstone(nodeId, await store.epochs.next('tombstone'));
  expect(await store.nodes.enroll({ nodeId, certSerial: '02', machineId: 'm', hostKeys: [], agentVersion: '1' })).toBe(false);
  expect((await store.nodes.plan({ id: randomUUID(), ...want })).id).not.toBe(nodeId);
  expect(await store.nodes.list(clusterId)).toHaveLength(1);
});

test('an enrollment token is spent once, however many come', async () => {
  const token = { hash: 'h1', clusterId: randomUUID(), nodeId: randomUUID(), role: 'worker' as const, expiresAt: new Date(10_000) };
  await store.enrollTokens.add(token);
  const uses = await Promise.all(Array.from({ length: 8 }, () => store.enrollTokens.use('h1', new Date(1))));
  expect(uses.filter((u) => u.ok)).toEqual([{ ok: true, token }]);
  expect(uses.filter((u) => !u.ok).every((u) => !u.ok && u.because === 'used')).toBe(true);
  await store.enrollTokens.add({ ...token, hash: 'h2' });
  expect(await store.enrollTokens.use('h2', new Date(10_001))).toEqual({ ok: false, because: 'expired' });
  expect(await store.enrollTokens.use('h3', new Date(1))).toEqual({ ok: false, because: 'unknown' });
});

test('an Idempotency-Key is claimed by one and answered to all', async () => {
  const key = { route: 'POST /v1/x', key: 'k', bodyHash: 'a' };
  const claims = await Promise.all([1, 2, 3, 4].map(() => store.idempotency.claim(key)));
  expect(claims.map((c) => c.state).sort()).toEqual(['first', 'running', 'running', 'running']);
  await store.idempotency.finish({ ...key, status: 202, response: { runId: 'r' } });
  expect(await store.idempotency.claim(key)).toEqual({ state: 'answered', status: 202, response: { runId: 'r' } });
  expect(await store.idempotency.claim({ ...key, bodyHash: 'b' })).toEqual({ state: 'mismatch' });
});

test('a transaction is all or nothing, audit included; the audit trail cannot be changed', async () => {
  const name = `tx-${randomUUID()}`;
  const failing = store.transaction(async (work) => {
    await work.apiTokens.add({ hash: name, name, role: 'viewer' });
    await work.audit.record({ by: 'me', action: 'token.add', object: name, body: {} });
    throw new Error('no');
  });
  await expect(failing).rejects.toThrow('no');
  expect(await store.apiTokens.find(name)).toBeNull();
  await store.audit.record({ by: 'me', action: 'a', object: 'o', body: null });
  expect((await store.audit.list())[0]).toMatchObject({ action: 'a' });
  const client = new Client(poolConfig(connection));
  await client.connect();
  await expect(client.query('DELETE FROM audit')).rejects.toThrow('append-only');
  await expect(client.query('TRUNCATE audit')).rejects.toThrow('append-only');
  await client.end();
});

test('epochs only grow, minted tokens are kept once, log lines read by cursor', async () => {
  const values = await Promise.all(Array.from({ length: 20 }, () => store.epochs.next('run')));
  expect(new Set(values).size).toBe(20);
  expect(await store.epochs.current('run')).toBe(Math.max(...values));
  const token = { orderId: 'o', attempt: 1, clusterId: randomUUID(), node: 'n1', tokenId: 'abc', value: 'box' };
  expect(await store.mintedTokens.keep(token)).toEqual(token);
  expect(await store.mintedTokens.keep({ ...token, tokenId: 'other' })).toEqual(token);
  const runId = randomUUID();
  await store.logs.insert(Array.from({ length: 2500 }, (_, i) => ({ runId, stepKey: 's', attempt: 1, at: i, stream: 'stdout', text: `line ${i}\0` })));
  const page = await store.logs.read({ runId, stepKey: 's', limit: 2000 });
  expect(page.lines[1999]).toMatchObject({ text: 'line 1999\uFFFD' });
  expect((await store.logs.read({ runId, stepKey: 's', after: page.next })).lines).toHaveLength(500);
  expect(await store.logs.prune(new Date(1000))).toBe(1000);
});

test('one server at a time: the second waits and takes over', async () => {
  const lost: string[] = [];
  const first = await store.lock({ onLost: (because) => lost.push(because) });
  let waited = false;
  const second = store.lock({ onLost: (because) => lost.push(because), onWaiting: () => (waited = true) });
  const early = await Promise.race([second.then(() => 'taken'), new Promise((resolve) => setTimeout(() => resolve('waiting'), 600))]);
  expect([early, waited]).toEqual(['waiting', true]);
  await first.release();
  await (await second).release();
  expect(lost).toEqual([]);
});

test('a key is trusted once, and untrusted; a bundle file that was taken keeps when it came first', async () => {
  const fingerprint = `SHA256:${randomUUID()}`;
  await store.bundleFiles.trust(fingerprint, 'me');
  await store.bundleFiles.trust(fingerprint, 'you');
  expect((await store.bundleFiles.signers()).filter((s) => s.fingerprint === fingerprint)).toEqual([{ fingerprint, by: 'me', at: expect.any(Date) as Date }]);
  expect([await store.bundleFiles.untrust(fingerprint), await store.bundleFiles.untrust(fingerprint)]).toEqual([true, false]);
  const file = { name: `f-${randomUUID()}`, version: '1.0.0', digest: 'd', signer: fingerprint, summary: { artifacts: ['a@1.0'] }, by: 'me' };
  const first = await store.bundleFiles.take(file);
  expect(await store.bundleFiles.take({ ...file, by: 'you' })).toEqual(first);
  await store.bundleFiles.take({ ...file, version: '1.1.0' });
  expect((await store.bundleFiles.ofName(file.name)).map((f) => f.version).sort()).toEqual(['1.0.0', '1.1.0']);
  expect((await store.bundleFiles.taken())[0]).toMatchObject({ name: file.name, summary: file.summary });
});
