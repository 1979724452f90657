import { randomUUID } from 'node:crypto';
import type { NodeRecord } from '@strata/store';
import { FakeAgent } from '../testing/fake-agent';
import { eventually, specOf } from '../testing/planned-run';
import { TestServer } from '../testing/test-server';

let server: TestServer;
let clusterId: string;
let count = 0;
const node = async (name: string): Promise<NodeRecord> => {
  const found = await server.edges.store.nodes.named(clusterId, name);
  if (!found) throw new Error(`no node ${name}`);
  return found;
};
beforeAll(async () => {
  server = await TestServer.start();
}, 60_000);
afterAll(() => server.remove(), 30_000);
beforeEach(async () => {
  const nodes = [
    { name: 'n1', role: 'control-plane', join: 'token' },
    { name: 'n2', join: 'token' },
  ];
  const answer = await server.call('POST', '/v1/clusters', { body: { spec: specOf(`e${(count += 1)}`, nodes) } });
  clusterId = (answer.body as { id: string }).id;
});
const tokenOf = (body: unknown): string => (body as { token: string }).token.split('.')[1] ?? '';

test('the join command carries a token that works once, and a newer one ends it', async () => {
  const path = `/v1/clusters/${clusterId}/nodes/n1/join-command`;
  const stale = await server.call('POST', path);
  const fresh = await server.call('POST', path);
  expect(fresh).toMatchObject({ status: 201, body: { node: 'n1' } });
  const { command } = fresh.body as { command: string };
  expect(command).toContain(`--ca-pin ${server.edges.keys.authority.pin}`);
  expect(command.split('|')[0]).toContain('echo J1'); // on standard input, never an argument
  await expect(FakeAgent.enrollWith(server, tokenOf(stale.body))).rejects.toThrow('join token is unknown');
  const agent = await FakeAgent.enrollWith(server, tokenOf(fresh.body));
  expect(agent.identity).toMatchObject({ nodeName: 'n1', clusterId });
  await expect(FakeAgent.enrollWith(server, tokenOf(fresh.body))).rejects.toThrow('join token is used');
  expect(await server.call('POST', path)).toMatchObject({ status: 409, body: { code: 'node-enrolled' } });
});

test('a clone of a node is told so', async () => {
  const machineId = randomUUID();
  await FakeAgent.enroll(server, await node('n1'), machineId);
  await expect(FakeAgent.enroll(server, await node('n2'), machineId)).rejects.toThrow('clone');
});

test('a removed node is cut within two seconds and never let in again', async () => {
  const n2 = await node('n2');
  const agent = await FakeAgent.enroll(server, n2);
  await agent.connect(server);
  await eventually(() => server.edges.sessions.of(n2.id));
  await server.edges.store.nodes.tombstone(n2.id, await server.edges.store.epochs.next('node'));
  server.edges.sessions.revoke(n2.id, 'removed');
  const began = Date.now();
  await eventually(() => !agent.connected);
  expect(Date.now() - began).toBeLessThan(2_000);
  await expect(agent.connect(server)).rejects.toThrow('was removed');
});

test('a newer session of a node takes the place of the older', async () => {
  const n1 = await node('n1');
  const agent = await FakeAgent.enroll(server, n1);
  await agent.connect(server);
  const first = await eventually(() => server.edges.sessions.of(n1.id));
  await agent.connect(server);
  const second = await eventually(() => {
    const now = server.edges.sessions.of(n1.id);
    return now !== first && now;
  });
  expect(second?.id).not.toBe(first?.id);
  await eventually(() => server.edges.sessions.all().filter((s) => s.nodeId === n1.id).length === 1);
  agent.disconnect();
});
