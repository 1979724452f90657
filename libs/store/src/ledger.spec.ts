import { randomUUID } from 'node:crypto';
import { ClusterSpec, type NewEvent } from '@strata/model';
import type { Release } from '@strata/run';
import { Client } from 'pg';
import { poolConfig, type Connection } from './connection';
import { openStore, type Store } from './store';
import { TestPostgres } from './testing';

jest.setTimeout(60_000);
let postgres: TestPostgres;
let connection: Connection;
let store: Store;
let clusterId: string;
const intent = { kind: 'install' as const, nodes: [], dryRun: false, force: false };
const requested: NewEvent = { kind: 'RunRequested', body: { intent, specVersion: 1, epoch: 1, by: 'spec' } };
const order = { attempt: 1, epoch: 1, action: 'run' as const };
const released = (step: string): NewEvent => ({ kind: 'OrderReleased', step, node: 'n1', body: { ...order, orderId: `o-${step}` } });
const release = (step: string): Release => ({ ...order, orderId: `o-${step}`, step, target: 'node', node: 'n1' });
const newRun = async (): Promise<string> => (await store.runs.create({ id: randomUUID(), clusterId, intent, epoch: 1, specVersion: 1 })).id;

beforeAll(async () => {
  postgres = await TestPostgres.start();
  connection = await postgres.database();
  store = openStore(connection, { clock: () => 1_700_000_000_000 });
  const spec = ClusterSpec.parse({
    apiVersion: 'strata/v1',
    kind: 'Cluster',
    metadata: { name: 'c' },
    spec: { nodes: [{ name: 'n1', address: '10.0.0.1', role: 'control-plane', ssh: {} }] },
  });
  clusterId = (await store.clusters.keepSpec({ id: randomUUID(), spec, by: 'spec' })).cluster.id;
});
afterAll(async () => {
  await store?.close();
  await postgres?.remove();
});

test('what was appended is read as it was written', async () => {
  const runId = await newRun();
  const written = await store.ledger.append(runId, 0, { events: [requested, { kind: 'RunHeld', body: { because: 'a\0b' } }] });
  expect(written).toHaveLength(2);
  const read = await store.ledger.read(runId);
  expect(read).toMatchObject([
    { ...requested, runId, seq: 1, at: 1_700_000_000_000, step: null, node: null },
    { kind: 'RunHeld', seq: 2, body: { because: 'a\uFFFDb' } },
  ]);
  expect(await store.ledger.read(runId, 1)).toHaveLength(1);
  expect(await store.runs.find(runId)).toMatchObject({ state: 'held', because: 'a\uFFFDb' });
});

test('of many appends that expect the same sequence one is written, with its releases', async () => {
  const runId = await newRun();
  await store.ledger.append(runId, 0, { events: [requested] });
  const answers = await Promise.all(
    Array.from({ length: 8 }, (_, i) => store.ledger.append(runId, 1, { events: [released(`n1/t${i}`)], releases: [release(`n1/t${i}`)] })),
  );
  expect(answers.filter((a) => a !== false)).toHaveLength(1);
  expect((await store.ledger.read(runId)).map((e) => e.seq)).toEqual([1, 2]);
  const rows = (await store.outbox.unrelayed('g1')).filter((r) => r.runId === runId);
  expect(rows).toHaveLength(1);
  expect(rows[0]).toMatchObject({ clusterId, target: 'node', node: 'n1', attempt: 1, epoch: 1, action: 'run' });
});

test('inside transactions appends of one run wait for each other, and the loser keeps its transaction', async () => {
  const runId = await newRun();
  const one = (name: string): Promise<boolean> =>
    store.transaction(async (work) => {
      const written = await work.ledger.append(runId, 0, { events: [requested] });
      await work.audit.record({ by: 'spec', action: 'run.start', object: name, body: { written: written !== false } });
      return written !== false;
    });
  const answers = await Promise.all(['a', 'b', 'c'].map(one));
  expect(answers.filter(Boolean)).toHaveLength(1);
  expect(await store.audit.list({ limit: 3 })).toHaveLength(3);
});

test('an order is relayed once a generation, and gone when it is settled', async () => {
  const runId = await newRun();
  await store.ledger.append(runId, 0, { events: [requested, released('n1/a'), released('n1/b')], releases: [release('n1/a'), release('n1/b')] });
  const mine = async (generation: string): Promise<string[]> =>
    (await store.outbox.unrelayed(generation)).filter((r) => r.runId === runId).map((r) => r.stepKey);
  expect((await mine('g1')).sort()).toEqual(['n1/a', 'n1/b']);
  const a = { orderId: 'o-n1/a', attempt: 1, epoch: 1 };
  await store.outbox.markRelayed([a], 'g1');
  expect(await mine('g1')).toEqual(['n1/b']);
  expect((await mine('g2')).sort()).toEqual(['n1/a', 'n1/b']);
  const settled: NewEvent = { kind: 'OrderSettled', step: 'n1/a', node: 'n1', body: { ...order, outcome: 'changed', result: { findings: [] }, late: false } };
  await store.ledger.append(runId, 3, { events: [{ ...settled, body: { ...settled.body, late: true } }] });
  expect(await store.outbox.holds(a)).toBe(true);
  await store.ledger.append(runId, 4, { events: [settled] });
  expect(await store.outbox.holds(a)).toBe(false);
  expect(await mine('g2')).toEqual(['n1/b']);
});

test('the end of a run frees its lease; a resumed run is open again', async () => {
  const runId = await newRun();
  await store.clusters.takeLease({ clusterId, runId, epoch: 1 });
  await store.ledger.append(runId, 0, { events: [requested, { kind: 'RunEnded', body: { result: 'failed', because: 'n1 is off' } }] });
  expect(await store.clusters.lease(clusterId)).toBeNull();
  expect(await store.runs.find(runId)).toMatchObject({ state: 'ended', result: 'failed', because: 'n1 is off', endedAt: new Date(1_700_000_000_000) });
  expect((await store.ledger.open()).map((r) => r.runId)).not.toContain(runId);
  await store.ledger.append(runId, 2, { events: [{ kind: 'RunResumed', body: { by: 'me', epoch: 2 } }] });
  expect(await store.ledger.open()).toContainEqual({ runId, clusterId });
  expect(await store.runs.find(runId)).toMatchObject({ state: 'running', epoch: 2, endedAt: null, result: null });
});

test('the ledger refuses update, delete and truncate, and an event of no run', async () => {
  const client = new Client(poolConfig(connection));
  await client.connect();
  for (const statement of ["UPDATE run_event SET kind = 'x'", 'DELETE FROM run_event', 'TRUNCATE run_event'])
    await expect(client.query(statement)).rejects.toThrow('append-only');
  await client.end();
  await expect(store.ledger.append(randomUUID(), 0, { events: [requested] })).rejects.toThrow('is not in the database');
});

test('runs are listed newest first, page by page', async () => {
  const first = await store.runs.list({ clusterId, limit: 3 });
  expect(first.runs).toHaveLength(3);
  const second = await store.runs.list({ clusterId, limit: 3, cursor: first.next ?? '' });
  const ids = [...first.runs, ...second.runs].map((r) => r.id);
  expect(new Set(ids).size).toBe(ids.length);
  await store.runs.recordCounts(ids[0] ?? '', { total: 4, done: 3, changed: 2, failed: 1 });
  expect((await store.runs.find(ids[0] ?? ''))?.steps).toEqual({ total: 4, done: 3, changed: 2, failed: 1 });
});

test('PostgreSQL killed in mid-work: calls go on, listeners listen again, the lock is kept', async () => {
  const runId = await newRun();
  const heard: (string | null)[] = [];
  const stop = await store.onRunAppended((id) => heard.push(id));
  const lost: string[] = [];
  const lock = await store.lock({ onLost: (because) => lost.push(because) });
  await store.ledger.append(runId, 0, { events: [requested] });
  for (let i = 0; i < 100 && !heard.includes(runId); i += 1) await new Promise((resolve) => setTimeout(resolve, 50)); // what is told at the moment of death may be lost
  await postgres.down('SIGKILL');
  const waiting = store.ledger.append(runId, 1, { events: [{ kind: 'RunHeld', body: { because: 'x' } }] });
  await postgres.up();
  expect(await waiting).not.toBeNull();
  expect((await store.ledger.read(runId)).map((e) => e.seq)).toEqual([1, 2]);
  for (let i = 0; i < 100 && !heard.includes(null); i += 1) await new Promise((resolve) => setTimeout(resolve, 50));
  expect(heard).toEqual(expect.arrayContaining([runId, null]));
  for (let i = 0, free = true; i < 100 && free; i += 1) {
    const other = new Client(poolConfig(connection));
    await other.connect();
    free = (await other.query<{ ok: boolean }>('SELECT pg_try_advisory_lock(74430001) AS ok')).rows[0]?.ok === true;
    await other.end();
    if (!free) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  expect(lost).toEqual([]);
  await stop();
  await lock.release();
});
