import type { Facts, MachineSeen } from '@strata/model';
import { NodeSpec } from '@strata/model';
import { draftSpec, nodeNames } from './draft-spec';
import { readSpec } from './read-spec';

const facts = (over: Partial<Facts> = {}): Facts => ({
  hostname: 'alpha', machineId: 'm', bootId: 'b', os: { id: 'debian', version: '12', name: 'Debian GNU/Linux 12', idLike: [] }, kernel: '6.1.0', arch: 'x86_64', init: 'systemd',
  container: null, cpus: 4, memory: { total: 8e9, available: 7e9, limit: null, swap: 0 }, disks: [{ mount: '/', type: 'ext4', size: 100e9, free: 80e9, inodesFree: 1e6 }],
  addresses: [], routes: [], mtu: {}, listeners: [], dns: { servers: [], search: [], managedBy: 'file', target: null }, time: { wallMs: 0, service: null, synchronized: true },
  cgroup: 'v2', canLowerOomScore: true, canSetSysctl: true, readOnlySysctl: false, kernelFeatures: {}, packageManager: 'apt',
  packages: { interrupted: false, lockHolder: null, unattendedUpgrades: false }, containerRuntimes: [], firewall: { tools: [], dropsInput: false, dropsForward: false },
  security: { selinux: 'disabled', apparmor: false }, gpus: [], hostKeys: [], nofile: 1, ...over,
}); // prettier-ignore
const hostKey = { fingerprint: `SHA256:${'A'.repeat(43)}`, accepted: 'known-hosts' as const };
const seen = (over: Partial<Facts>, addresses: [string, string][], more: Partial<MachineSeen> = {}): MachineSeen => ({
  name: 'n1', facts: facts(over), hostKey, addresses: addresses.map(([name, address]) => ({ interface: name, address })), failure: null, ...more,
}); // prettier-ignore
const asked = (address: string, ssh: object = {}): NodeSpec => NodeSpec.parse({ name: 'n1', address, ssh });

test('what was seen stands beside what it led to, and validate takes it', () => {
  const text = draftSpec({
    cluster: 'home',
    schema: './cluster.schema.json',
    seen: {
      ranges: { podCidr: '10.42.0.0/16', serviceCidr: '10.43.0.0/16' },
      machines: [
        seen({ firewall: { tools: ['nftables'], dropsInput: true, dropsForward: false }, memory: { total: 8e9, available: 7e9, limit: 2e9, swap: 1e9 } }, [['eth0', '10.0.0.1'], ['eth1', '192.168.7.1']]),
        seen({ containerRuntimes: [{ kind: 'docker', version: '26.1', package: 'docker.io', unit: 'docker.service', socket: '/run/docker.sock', ours: false }] }, [['eth0', '10.0.0.2']], { hostKey: { ...hostKey, accepted: 'new' } }),
      ],
    },
    asked: [asked('10.0.0.1', { keyFile: '~/.ssh/a key', port: 2222 }), NodeSpec.parse({ name: 'n2', ssh: { host: 'beta.example', user: 'ops', sudoPasswordFrom: 'env:PW' } })],
  }); // prettier-ignore
  const read = readSpec(text);
  expect(read.issues).toEqual([]);
  expect(read.spec?.spec.nodes).toMatchObject([
    { name: 'alpha', address: '10.0.0.1', role: 'control-plane', ssh: { user: 'root', port: 2222, keyFile: '~/.ssh/a key', hostKey: hostKey.fingerprint } },
    { name: 'alpha-2', address: '10.0.0.2', role: 'worker', ssh: { host: 'beta.example', user: 'ops', sudoPasswordFrom: 'env:PW' } },
  ]);
  expect(read.spec?.spec.network).toMatchObject({ podCidr: '10.42.0.0/16', serviceCidr: '10.43.0.0/16' });
  for (const words of [
    '# alpha: Debian GNU/Linux 12, x86_64, kernel 6.1.0; 4 CPUs, 2.0 GB of memory',
    '# disks: / (ext4) 80 GB free of 100 GB',
    '# firewall: nftables; input is dropped unless allowed',
    'it also has 192.168.7.1 (eth1)',
    '# docker 26.1 is there already (package docker.io, docker.service, /run/docker.sock)',
    '# taken unseen: compare it',
    'swap is on at alpha',
  ])
    expect(text).toContain(words);
});
test('names of nodes: out of host names, valid, each once', () => {
  expect(nodeNames(['Alpha.example.org', 'alpha', 'web_01', '', 'localhost', '-_-', 'x'.repeat(80)])).toEqual([
    'alpha', 'alpha-2', 'web-01', 'n4', 'n5', 'n6', 'x'.repeat(58),
  ]); // prettier-ignore
});
test('a machine cannot write into the spec by what it calls itself', () => {
  const evil = 'x\n  bundles: [evil]\u2028y';
  const text = draftSpec({
    cluster: 'home', schema: 's', asked: [asked('10.0.0.1')],
    seen: { ranges: null, machines: [seen({ hostname: evil, os: { id: 'x', version: '1', name: evil, idLike: [] }, memory: { total: 1, available: 1, limit: null, swap: 1 } }, [['eth0', '10.0.0.1']])] },
  }); // prettier-ignore
  expect(readSpec(text).spec?.spec.bundles).toEqual([]);
  expect(text).toContain('CHANGE THIS');
});
