import { randomUUID } from 'node:crypto';
import { TestServer } from '../testing/test-server';

let server: TestServer;
beforeAll(async () => {
  server = await TestServer.start();
}, 60_000);
afterAll(() => server.remove(), 30_000);

const spec = (name: string): object => ({
  apiVersion: 'strata/v1',
  kind: 'Cluster',
  metadata: { name },
  spec: {
    distribution: { kind: 'kubernetes', version: '1.37.2' },
    storage: { kind: 'juicefs' },
    nodes: [{ name: 'n1', role: 'control-plane', join: 'token' }],
  },
});
const made = async (name: string): Promise<string> => ((await server.call('POST', '/v1/clusters', { body: { spec: spec(name) } })).body as { id: string }).id;
const start = (cluster: string, kind: string): ReturnType<TestServer['call']> =>
  server.call('POST', `/v1/clusters/${cluster}/runs`, { body: { intent: { kind } } });

test('storage that no node with an agent has is nothing to run on: said before a run begins', async () => {
  const id = await made('bare');
  for (const kind of ['verify', 'restore', 'drill', 'failover', 'migrate', 'commit', 'rollback'])
    expect(await start('bare', `${kind}-storage`)).toMatchObject({
      status: 409,
      body: { code: 'no-cluster', remedy: expect.stringContaining('strata apply') as string },
    });
  expect((await server.edges.store.runs.list({ clusterId: id })).runs).toEqual([]);
});

test('a node that has an agent and is away is waited for as before', async () => {
  const { nodes } = server.edges.store;
  const [node] = await nodes.list(await made('away'));
  await nodes.enroll({ nodeId: node?.id ?? '', certSerial: '1', machineId: randomUUID(), hostKeys: [], agentVersion: '0' });
  expect(await start('away', 'verify-storage')).toMatchObject({ status: 202 });
});
