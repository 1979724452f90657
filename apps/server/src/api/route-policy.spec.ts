import { hashToken } from '@strata/pki';
import { TestServer } from '../testing/test-server';
import { allowed, routePolicy } from './route-policy';

interface Layer {
  route?: { path: string; methods: Record<string, boolean> };
}
let server: TestServer;
beforeAll(async () => {
  server = await TestServer.start();
}, 60_000);
afterAll(() => server.remove(), 30_000);

test('every route has a policy, and every policy a route', () => {
  const express = server.serving.app.getHttpAdapter().getInstance() as { router: { stack: Layer[] } };
  const routes = express.router.stack.flatMap(
    ({ route }) =>
    route ? Object.keys(route.methods).filter((m) => m !== 'head').map((m) => `${m.toUpperCase()} ${route.path}`) : [], // prettier-ignore
  );
  expect([...new Set(routes)].sort()).toEqual(Object.keys(routePolicy).sort());
});

test('each role may do what the ones below it may, and nobody what is not listed', () => {
  expect(allowed('viewer', 'GET', '/v1/runs')).toBe(true);
  expect(allowed('viewer', 'POST', '/v1/clusters')).toBe(false);
  expect(allowed('operator', 'POST', '/v1/clusters')).toBe(true);
  expect(allowed('operator', 'GET', '/v1/clusters/:id/kubeconfig')).toBe(false);
  expect(allowed('admin', 'GET', '/v1/clusters/:id/kubeconfig')).toBe(true);
  expect(allowed('admin', 'GET', '/v1/unknown')).toBe(false);
  expect(allowed(null, 'GET', '/healthz')).toBe(true);
});

test('a viewer reads and does not write; a revoked token does nothing', async () => {
  const token = 'strata_api_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA';
  await server.edges.store.apiTokens.add({ hash: hashToken(token), name: 'eve', role: 'viewer' });
  expect(await server.call('GET', '/v1/clusters', { token })).toMatchObject({ status: 200 });
  expect(await server.call('POST', '/v1/clusters', { token, body: {} })).toMatchObject({ status: 403, body: { code: 'forbidden' } });
  await server.edges.store.apiTokens.revoke('eve');
  expect(await server.call('GET', '/v1/clusters', { token })).toMatchObject({ status: 401 });
});
