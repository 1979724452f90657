import { hostsWithAddress, nodeFiles, privateSysctls, secondCardFile } from './node-files';

const files = nodeFiles({ name: 'n2', address: '10.78.0.12', slot: 0, authorizedKey: 'ssh-ed25519 AAAA lab', nameservers: ['9.9.9.9'] });
const textOf = (path: string): string => {
  const file = files.find((f) => f.path === path);
  return file && 'text' in file ? file.text : '';
};

it('gives a node its name, address, resolver and login', () => {
  expect(textOf('/etc/hostname')).toBe('n2\n');
  expect(textOf('/etc/systemd/network/10-host0.network')).toContain('Address=10.78.0.12/24\nGateway=10.78.0.1\n');
  expect(textOf('/etc/resolv.conf')).toBe('nameserver 9.9.9.9\n');
  expect(files).toContainEqual({ path: '/root/.ssh/authorized_keys', text: 'ssh-ed25519 AAAA lab\n', mode: 0o600 });
});

it('starts at the values of a freshly booted machine, none of which Strata needs changed already', () => {
  expect(privateSysctls).toMatchObject({ 'vm.overcommit_memory': '0', 'kernel.panic': '0', 'kernel.panic_on_oops': '0' });
  expect(textOf('/etc/lab/sysctl').split('\n')).toContain('vm.overcommit_memory 0');
});

it("changes only the node's own line of /etc/hosts", () => {
  const hosts = '127.0.0.1 localhost n2\n10.78.0.12 n2\n10.78.0.13 n22 # n2-like\n# BEGIN strata\n10.78.0.11 api.lab.strata.internal\n';
  expect(hostsWithAddress(hosts, 'n2', '10.78.0.99')).toBe(hosts.replace('10.78.0.12 n2', '10.78.0.99 n2'));
});

it('gives a second card an address and no way out', () => {
  const file = secondCardFile('10.79.0.12');
  expect('text' in file ? file.text : '').toMatch(/Name=lan1\n\[Network\]\nAddress=10\.79\.0\.12\/24\n(?![^]*Gateway)/);
});
