import { randomUUID } from 'node:crypto';
import { RunIntent } from '@strata/model';
import { TestServer } from '../testing/test-server';

let server: TestServer;
beforeAll(async () => {
  server = await TestServer.start();
}, 60_000);
afterAll(() => server.remove(), 30_000);

const spec = (name: string) => ({
  apiVersion: 'strata/v1',
  kind: 'Cluster',
  metadata: { name },
  spec: { distribution: { kind: 'kubernetes', version: '1.37.2' }, nodes: [{ name: 'n1', role: 'control-plane', join: 'token' }] },
});

test('health needs no token, everything else does', async () => {
  expect(await server.call('GET', '/healthz', { token: null })).toMatchObject({ status: 200 });
  expect(await server.call('GET', '/readyz', { token: null })).toMatchObject({ status: 200 });
  expect(await server.call('GET', '/v1/clusters', { token: null })).toMatchObject({ status: 401, body: { code: 'unauthenticated' } });
  expect(await server.call('GET', '/v1/clusters', { token: 'strata_api_x' })).toMatchObject({ status: 401 });
  expect(await server.call('GET', '/v1/clusters')).toMatchObject({ status: 200, body: [] });
});

test('a cluster is made once, and the same spec changes nothing', async () => {
  const first = await server.call('POST', '/v1/clusters', { body: { spec: spec('one') } });
  expect(first).toMatchObject({ status: 200, body: { name: 'one', specVersion: 1, state: 'new', openRun: null } });
  expect(await server.call('POST', '/v1/clusters', { body: { spec: spec('one') } })).toMatchObject({ status: 200, body: { specVersion: 1 } });
  expect(await server.call('GET', '/v1/clusters/one')).toMatchObject({ status: 200, body: { name: 'one' } });
  expect(await server.call('GET', '/v1/clusters/two')).toMatchObject({ status: 404, body: { code: 'not-found' } });
});

test('a cluster that was only looked at says so, until it is applied', async () => {
  const { body } = await server.call('POST', '/v1/clusters', { body: { spec: spec('looked') } });
  const { id } = body as { id: string };
  expect(body).toMatchObject({ onlyPlanned: true });
  const { runs, nodes } = server.edges.store;
  const after = async (more: object): Promise<unknown> => {
    await runs.create({ id: randomUUID(), clusterId: id, intent: RunIntent.parse({ kind: 'install', ...more }), epoch: 1, specVersion: 1 });
    return (await server.call('GET', '/v1/clusters/looked')).body;
  };
  expect(await after({ dryRun: true })).toMatchObject({ state: 'new', onlyPlanned: true });
  expect(await after({ until: 'precheck' })).toMatchObject({ onlyPlanned: true });
  expect(await after({ until: 'prepare' })).toMatchObject({ onlyPlanned: false });
  const joined = (await server.call('POST', '/v1/clusters', { body: { spec: spec('joined') } })).body as { id: string };
  const [node] = await nodes.list(joined.id);
  await nodes.enroll({ nodeId: node?.id ?? '', certSerial: 'x', machineId: randomUUID(), hostKeys: [], agentVersion: '0' });
  expect(await server.call('GET', '/v1/clusters/joined')).toMatchObject({ body: { state: 'new', onlyPlanned: false } });
});

test('a wrong body is refused with the path of what is wrong', async () => {
  const answer = await server.call('POST', '/v1/clusters', { body: { spec: { ...spec('x'), surprise: 1 } } });
  expect(answer).toMatchObject({ status: 400, body: { code: 'bad-request' } });
  expect(JSON.stringify(answer.body)).toContain('surprise');
});

test('a run of an application names it, with values that are data; before there is a Kubernetes there are none', async () => {
  await server.call('POST', '/v1/clusters', { body: { spec: spec('apps') } });
  const start = (text: string): ReturnType<TestServer['call']> => server.call('POST', '/v1/clusters/apps/runs', { body: JSON.parse(`{"intent":${text}}`) });
  expect(await start('{"kind":"stop-app"}')).toMatchObject({ status: 422, body: { code: 'app-unnamed' } });
  expect(await start('{"kind":"install","app":{"name":"db","namespace":"office"}}')).toMatchObject({ status: 422, body: { code: 'app-unnamed' } });
  const polluted = await start('{"kind":"install-app","app":{"name":"db","namespace":"office","values":{"a":{"__proto__":{"x":1},"constructor":{"x":1}}}}}');
  expect([polluted.status, ({} as { x?: number }).x]).toEqual([409, undefined]); // such names are dropped at the door
  expect(await start('{"kind":"stop-app","app":{"name":"db","namespace":"office"}}')).toMatchObject({ status: 409, body: { code: 'no-kubeconfig' } });
  expect(await server.call('GET', '/v1/clusters/apps/apps')).toMatchObject({ status: 409, body: { code: 'no-kubeconfig' } });
  expect(await server.call('GET', '/v1/clusters/apps/apps/office/db/logs?tail=x')).toMatchObject({ status: 400 });
  expect(await server.call('GET', '/v1/available-apps')).toMatchObject({ status: 200, body: { apps: [], broken: [] } });
});

test('an idempotency key gives the same answer, and refuses another body', async () => {
  const headers = { 'idempotency-key': 'k1' };
  const once = await server.call('POST', '/v1/clusters', { body: { spec: spec('idem') }, headers });
  expect(await server.call('POST', '/v1/clusters', { body: { spec: spec('idem') }, headers })).toEqual(once);
  expect(await server.call('POST', '/v1/clusters', { body: { spec: spec('other') }, headers })).toMatchObject({
    status: 422,
    body: { code: 'idempotency-mismatch' },
  });
});

test('the OpenAPI document names the routes and the schemas', async () => {
  const { status, body } = await server.call('GET', '/v1/openapi.json');
  const document = body as { openapi: string; paths: Record<string, object>; components: { schemas: Record<string, object> } };
  expect({ status, openapi: document.openapi }).toEqual({ status: 200, openapi: '3.1.0' });
  expect(Object.keys(document.paths)).toEqual(expect.arrayContaining(['/v1/clusters', '/v1/clusters/{id}/nodes', '/v1/runs/{id}/events']));
  expect(Object.keys(document.components.schemas)).toEqual(expect.arrayContaining(['ClusterView', 'RunSummary', 'ApplyClusterBody']));
});
