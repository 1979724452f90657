import { TestServer } from '../testing/test-server';

let server: TestServer;
beforeAll(async () => {
  server = await TestServer.start();
}, 60_000);
afterAll(() => server.remove(), 30_000);

const spec = {
  apiVersion: 'strata/v1',
  kind: 'Cluster',
  metadata: { name: 'home' },
  spec: { distribution: { kind: 'kubernetes', version: '1.37.2' }, nodes: [{ name: 'n1', role: 'control-plane', join: 'token' }] },
};
const add = (node: object): ReturnType<TestServer['call']> => server.call('POST', '/v1/clusters/home/nodes', { body: { node } });
/** Nothing listens at port 1 of this machine. */
const nobody = (port: number): object => ({ name: 'n2', address: '127.0.0.1', ssh: { port, acceptNewHostKey: true } });

/** Until no run is at work on the cluster. */
async function over(clusterId: string): Promise<void> {
  for (const end = Date.now() + 30_000; (await server.edges.store.clusters.lease(clusterId)) !== null; await new Promise((done) => setTimeout(done, 50)))
    if (Date.now() > end) throw new Error('waited 30 s for the run to end that was cancelled');
}

test('a node that SSH refused is described anew under its name; one that comes by itself is not', async () => {
  const { body } = await server.call('POST', '/v1/clusters', { body: { spec } });
  const { id } = body as { id: string };
  await server.edges.store.clusters.setState(id, 'ready');
  expect(await add({ name: 'n1', join: 'token' })).toMatchObject({ status: 409, body: { code: 'node-exists' } });
  const first = await add(nobody(1));
  expect(first).toMatchObject({ status: 202 });
  await server.call('POST', `/v1/runs/${(first.body as { runId: string }).runId}/cancel`);
  await over(id);
  expect(await add({ ...nobody(1), name: 'n3' })).toMatchObject({
    status: 409,
    body: { code: 'address-taken', remedy: expect.stringContaining('--name n2') as string },
  });
  const second = await add(nobody(2));
  expect(second).toMatchObject({ status: 202 });
  await server.call('POST', `/v1/runs/${(second.body as { runId: string }).runId}/cancel`);
  await over(id);
  const nodes = (await server.call('GET', '/v1/clusters/home')).body as { spec: { spec: { nodes: { name: string; ssh?: { port: number } }[] } } };
  expect(nodes.spec.spec.nodes.map((n) => [n.name, n.ssh?.port])).toEqual([['n1', undefined], ['n2', 2]]); // prettier-ignore
}, 60_000);
