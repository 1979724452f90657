import { NodeSpec } from '@strata/model';
import { hostDefaults, withSshConfig } from './ssh-config';

const config = `
Host n1
  HostName 10.0.0.11
  User ops
  Port 2222
  IdentityFile ~/.ssh/n1
  ProxyJump jump
Host jump
  HostName 192.0.2.1
  User door
  Port 2022
  IdentityFile ~/.ssh/jump
Match exec "touch /tmp/strata-was-here"
  User evil
Host chain
  ProxyJump a,b
`;
const node = (ssh: object, rest: object = { address: '10.9.9.9' }): NodeSpec => NodeSpec.parse({ name: 'n1', ...rest, ssh });

test('what ssh_config says of a host', () => {
  expect(hostDefaults(config, 'n1')).toEqual({ hostName: '10.0.0.11', user: 'ops', port: 2222, identityFiles: ['~/.ssh/n1'], proxyJump: { host: 'jump' } });
  expect(hostDefaults(config, 'elsewhere').user).not.toBe('evil');
  expect(() => hostDefaults(config, 'chain')).toThrow(/several hosts/);
});
test('it fills in what the spec leaves out, and never what the spec says', () => {
  const filled = withSshConfig(node({ host: 'n1' }), new Set(['host']), config);
  expect(filled.node.ssh).toMatchObject({ host: '10.0.0.11', user: 'ops', port: 2222, bastion: { host: '192.0.2.1', user: 'door', port: 2022 } });
  expect(filled).toMatchObject({ keyFiles: ['~/.ssh/n1'], asked: true, bastionKeyFiles: ['~/.ssh/jump'] });
  const said = withSshConfig(node({ host: 'n1', user: 'root', port: 22, keyFile: '/k', bastion: { host: 'b' } }), new Set(['host', 'user', 'port']), config);
  expect(said.node.ssh).toMatchObject({ user: 'root', port: 22, bastion: { host: 'b' } });
  expect(said.keyFiles).toEqual(['/k']);
});
test('a host that it does not name stays as the spec has it', () => {
  const { node: same, keyFiles } = withSshConfig(node({}), new Set(), config);
  expect(same).toEqual(node({}));
  expect(keyFiles).toEqual([]);
});
