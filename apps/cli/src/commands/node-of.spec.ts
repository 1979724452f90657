import type { ApiClient } from '@strata/api-client';
import type { ClusterView } from '@strata/model';
import { nodeOf, triedBefore } from './node-commands';

const flags = { role: 'worker', label: [] as string[], logFormat: 'text' as const };
test('a node out of flags', () => {
  const { node, written } = nodeOf('n4', { ...flags, ssh: 'ops@10.0.0.14:2222', label: ['disk=ssd', 'gpu'], bastion: 'door@gate' });
  expect(node).toMatchObject({
    name: 'n4',
    address: '10.0.0.14',
    role: 'worker',
    labels: { disk: 'ssd', gpu: '' },
    ssh: { user: 'ops', port: 2222, bastion: { host: 'gate', user: 'door' } },
  });
  expect([...written]).toEqual(['user', 'port']);
  expect(nodeOf('n4', { ...flags, ssh: 'alias' }).node).toMatchObject({ ssh: { host: 'alias' } });
  expect(nodeOf('n4', { ...flags, join: true }).node).toMatchObject({ join: 'token' });
});
test.each([[{ ssh: 'a b' }], [{ ssh: 'x', bastion: '@' }], [{ ssh: '10.0.0.1', hostKey: 'md5:1' }]])('%j makes none', (more) => {
  expect(() => nodeOf('n4', { ...flags, ...more })).toThrow();
});
test('a machine that was refused goes on under its name; one with an agent, or another one, does not', async () => {
  const nodes = ['10.0.0.14', '10.0.0.15'].map((host, i) => nodeOf(`n${i + 3}`, { ...flags, ssh: `root@${host}` }).node);
  const cluster = { id: 'c', spec: { spec: { nodes } } } as unknown as ClusterView;
  const client = { node: (_c: string, name: string) => Promise.resolve({ state: name === 'n3' ? 'planned' : 'enrolled' }) } as unknown as ApiClient;
  const name = (host: string): Promise<string | undefined> => triedBefore(client, cluster, nodeOf('machine', { ...flags, ssh: `ops@${host}` }).node);
  expect(await Promise.all(['10.0.0.14', '10.0.0.15', '10.0.0.16', '10.0.0.14:2222'].map(name))).toEqual(['n3', undefined, undefined, undefined]);
});
