import { Redis } from 'ioredis';
import { Pool } from 'pg';
import type { RunRecord } from '@strata/store';
import { sealSshSecrets } from '../bootstrap/ssh-secrets';
import { FakeAgent } from '../testing/fake-agent';
import { beginRun, eventually, specOf, stepOf } from '../testing/planned-run';
import { TestServer } from '../testing/test-server';

let server: TestServer;
let agent: FakeAgent;
let cluster: { id: string; spec: ReturnType<typeof specOf> };
let count = 0;
beforeAll(async () => {
  server = await TestServer.start();
}, 60_000);
afterAll(() => server.remove(), 30_000);
beforeEach(async () => {
  const spec = specOf(`c${(count += 1)}`);
  const answer = await server.call('POST', '/v1/clusters', { body: { spec } });
  cluster = { id: (answer.body as { id: string }).id, spec };
  const node = await server.edges.store.nodes.named(cluster.id, 'n1');
  if (!node) throw new Error('no node');
  agent = await FakeAgent.enroll(server, node);
});
afterEach(() => agent.disconnect());

const two = () => [
  stepOf('kernel.modules', { modules: ['overlay'] }),
  stepOf('kernel.sysctl', { settings: { 'net.ipv4.ip_forward': '1' } }, { needs: ['n1/kernel.modules'] }),
];
const ended = (runId: string): Promise<RunRecord> =>
  eventually(async () => {
    const run = await server.edges.store.runs.find(runId);
    return run?.state === 'ended' && run;
  }, `run ${runId} to end`);
const kinds = async (runId: string): Promise<string[]> => (await server.edges.store.ledger.read(runId)).map((e) => e.kind);

test('orders go to the agent one after the other, and the run ends', async () => {
  await agent.connect(server);
  const runId = await beginRun(server, cluster, two());
  expect(await ended(runId)).toMatchObject({ result: 'done' });
  await eventually(async () => (await server.edges.store.runs.find(runId))?.steps.total === 2); // counted right after the end
  expect(agent.orders.map((o) => o.body.step)).toEqual(['n1/kernel.modules', 'n1/kernel.sysctl']);
  await eventually(() => [...agent.held.values()].every((h) => h.acked));
  const order = ['OrderReleased', 'OrderStarted', 'OrderSettled'];
  expect(await kinds(runId)).toEqual(['RunRequested', 'RunPlanned', ...order, ...order, 'RunEnded']);
  expect(await server.edges.store.outbox.count()).toBe(0);
  expect(await server.edges.store.clusters.lease(cluster.id)).toBeNull();
});

test('an order waits for a node that is offline without spending an attempt, and goes out when it connects', async () => {
  const runId = await beginRun(server, cluster, two());
  const waits = await eventually(async () => {
    const { body } = await server.call('GET', `/v1/runs/${runId}`);
    const found = (body as { waits: { step: string; for: string }[] }).waits;
    return found.length > 0 && found;
  });
  expect(waits[0]?.step).toBe('n1/kernel.modules');
  expect(waits[0]?.for).toContain('n1, last seen');
  await agent.connect(server);
  expect(await ended(runId)).toMatchObject({ result: 'done' });
  expect(agent.orders.every((o) => o.body.attempt === 1)).toBe(true);
});

test('an agent that died in mid-order gets the secret values of that order again, and words when there are none', async () => {
  const nodes = ['n1', 'n2'].map((name, i) => ({ name, role: i === 0 ? 'control-plane' : 'worker', join: 'token' }));
  await server.call('POST', '/v1/clusters', { body: { spec: specOf(cluster.spec.metadata.name, nodes) } });
  const { store, keys } = server.edges;
  const n2 = (await store.nodes.named(cluster.id, 'n2'))?.id ?? '';
  await store.nodes.keepSshSecrets(n2, sealSshSecrets(keys.master, n2, { password: 'open sesame', knownHosts: [] }));
  agent.conduct = () => 'hold';
  await agent.connect(server);
  const runId = await beginRun(server, cluster, [stepOf('k3s.agent', { token: { $secret: 'ssh:n2' }, endpoint: '10.0.0.1' })]);
  const [{ body, secrets }] = await eventually(() => (agent.orders[0] === undefined ? null : ([agent.orders[0]] as const)));
  expect(JSON.stringify(body)).not.toContain('sesame');
  agent.disconnect();
  await agent.connect(server);
  await agent.askSecrets(body);
  expect(await eventually(() => agent.secrets[0])).toEqual({ orderId: body.orderId, values: secrets, missing: '' });
  expect(secrets['ssh:n2']).toContain('open sesame');
  await agent.askSecrets({ orderId: 'nobody’s', attempt: 1 });
  expect(await eventually(() => agent.secrets[1])).toMatchObject({ values: {}, missing: expect.stringMatching(/knows no such order/) as string });
  await agent.finish(body.orderId, 'changed');
  expect(await ended(runId)).toMatchObject({ result: 'done' });
});

test('the server restarts in mid-order: the outcome that came meanwhile is taken, nothing is done twice', async () => {
  agent.conduct = (body) => (body.step === 'n1/kernel.modules' ? 'hold' : 'changed');
  await agent.connect(server);
  const runId = await beginRun(server, cluster, two());
  await eventually(() => agent.orders.length === 1);
  await eventually(async () => (await kinds(runId)).includes('OrderStarted'));
  await server.down();
  await eventually(() => !agent.connected);
  await agent.finish(agent.orders[0]?.body.orderId ?? '', 'changed');
  await server.up();
  await agent.connect(server);
  expect(await ended(runId)).toMatchObject({ result: 'done' });
  expect(agent.orders.map((o) => [o.body.step, o.body.attempt])).toEqual([
    ['n1/kernel.modules', 1],
    ['n1/kernel.sysctl', 1],
  ]);
}, 60_000);

test('Redis loses everything in mid-run: the queue is filled again', async () => {
  agent.conduct = (body) => (body.step === 'n1/kernel.modules' ? 'hold' : 'changed');
  await agent.connect(server);
  const runId = await beginRun(server, cluster, two());
  await eventually(async () => (await kinds(runId)).includes('OrderStarted'));
  const redis = new Redis({ path: server.redis.home.socket });
  await redis.flushall();
  await redis.quit();
  await agent.finish(agent.orders[0]?.body.orderId ?? '', 'changed');
  expect(await ended(runId)).toMatchObject({ result: 'done' });
}, 60_000);

test('Redis loses everything while a node is offline: its orders go out all the same', async () => {
  const runId = await beginRun(server, cluster, two());
  const redis = new Redis({ path: server.redis.home.socket });
  await redis.flushall();
  await redis.quit();
  await agent.connect(server);
  expect(await ended(runId)).toMatchObject({ result: 'done' });
}, 60_000);

test('a spec that was changed in the database makes nothing run', async () => {
  const pool = new Pool({ ...(server.settings.database as { host: string; user: string; database: string }) });
  const runId = await beginRun(server, cluster, two());
  await pool.query(`UPDATE cluster_spec SET spec = jsonb_set(spec, '{spec,apiSANs}', '["evil"]') WHERE cluster_id = $1`, [cluster.id]);
  await pool.end();
  await agent.connect(server);
  expect(await ended(runId)).toMatchObject({ result: 'failed' });
  expect((await ended(runId)).because).toContain('is not what this server wrote and sealed');
  expect(agent.orders).toEqual([]);
});

test('a run is cancelled: the agent is told, nothing else starts', async () => {
  agent.conduct = () => 'hold';
  await agent.connect(server);
  const runId = await beginRun(server, cluster, two());
  await eventually(async () => (await kinds(runId)).includes('OrderStarted'));
  expect(await server.call('POST', `/v1/runs/${runId}/cancel`)).toMatchObject({ status: 202 });
  expect(await ended(runId)).toMatchObject({ result: 'cancelled' });
  expect(agent.orders).toHaveLength(1);
});
