import { connect } from 'node:tls';
import { FakeAgent } from '../testing/fake-agent';
import { specOf } from '../testing/planned-run';
import { TestServer } from '../testing/test-server';
import { renewListeners } from './renew-listeners';

let server: TestServer;
beforeAll(async () => {
  server = await TestServer.start();
}, 60_000);
afterAll(() => server.remove(), 30_000);

/** The serial number of the certificate that a port shows. */
const shown = (port: number): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ALPNProtocols: ['h2', 'http/1.1'] }, () => {
      resolve(socket.getPeerCertificate().serialNumber);
      socket.destroy();
    }).once('error', reject);
  });
const days = (n: number): number => Date.now() + n * 24 * 3600_000;

test('after a third of its life each listener shows a new certificate, and live sessions stay', async () => {
  await server.call('POST', '/v1/clusters', { body: { spec: specOf('fresh') } });
  const cluster = await server.edges.store.clusters.find('fresh');
  const node = await server.edges.store.nodes.named(cluster?.id ?? '', 'n1');
  const agent = await FakeAgent.enroll(server, node!);
  await agent.connect(server);
  const ports = Object.values(server.serving.ports);
  const before = await Promise.all(ports.map(shown));
  expect(await renewListeners(server.serving.listening, days(100))).toBe(false);
  expect(await renewListeners(server.serving.listening, days(130))).toBe(true);
  const after = await Promise.all(ports.map(shown));
  expect(new Set([...before, ...after]).size).toBe(8);
  expect(agent.connected).toBe(true);
  agent.disconnect();
  await agent.connect(server);
  expect(agent.connected).toBe(true);
  agent.disconnect();
});
