import { nodeOf } from './node-commands';

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
