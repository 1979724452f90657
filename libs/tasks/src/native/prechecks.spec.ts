import type { Facts, Finding } from '@strata/model';
import { taskNamed } from '../registry';
import { MemoryHost, tryTask } from '../testing';

type Machine = [facts?: Partial<Facts>, prepare?: (host: MemoryHost) => void];
async function found(task: string, input: unknown, ...[facts = {}, prepare]: Machine): Promise<{ outcome: string; findings: Finding[] }> {
  const host = new MemoryHost();
  Object.assign(host.baseFacts, facts);
  prepare?.(host);
  const before = host.snapshot();
  const { outcome, result } = await tryTask(taskNamed(task), { host }, { input });
  expect(host.snapshot()).toEqual(before);
  return { outcome, findings: result.findings };
}
const codes = (r: { findings: Finding[] }): string[] => r.findings.map((f) => f.code);
const network = { podCidr: '10.244.0.0/16', serviceCidr: '10.96.0.0/12' };
const all: [string, object][] = [
  ['precheck.os', {}], ['precheck.init', {}], ['precheck.kernel', {}], ['precheck.resources', { role: 'control-plane' }], ['precheck.ports', { role: 'control-plane' }],
  ['precheck.runtime', {}], ['precheck.identity', { name: 'n1' }], ['precheck.network', network], ['precheck.clock', { serverTimeMs: 0 }], ['precheck.dns', {}],
  ['precheck.packages', {}], ['precheck.security', {}], ['precheck.peers', { peers: [{ name: 'n2', address: '10.0.0.12', port: 22 }] }],
]; // prettier-ignore

it.each(all)('%s finds nothing on an ordinary machine', async (task, input) => {
  expect(await found(task, input)).toEqual({ outcome: 'satisfied', findings: [] });
});

it('names the process and unit that hold a port', async () => {
  const listeners = [{ proto: 'tcp' as const, address: '0.0.0.0', port: 6443, pid: 7, process: 'haproxy', unit: 'haproxy.service' }];
  const r = await found('precheck.ports', { role: 'control-plane' }, { listeners });
  expect(r).toMatchObject({
    outcome: 'refused',
    findings: [
      {
        code: 'port.taken',
        message: expect.stringContaining('haproxy (pid 7, haproxy.service)') as string,
        remedy: expect.stringContaining('systemctl') as string,
      },
    ],
  });
  expect(await found('precheck.ports', { role: 'worker' }, { listeners })).toMatchObject({ outcome: 'satisfied' });
});
it('lets the Kubernetes that Strata installed hold its ports, and nobody else', async () => {
  const listeners = [6443, 10250].map((port) => ({
    proto: 'tcp' as const,
    address: '*',
    port,
    pid: 7,
    process: port === 6443 ? 'kube-apiserver' : 'kubelet',
    unit: null,
  }));
  const ours = (h: MemoryHost): void => h.files.put('/etc/kubernetes/strata/kubeadm.yaml', '');
  expect(codes(await found('precheck.ports', { role: 'control-plane' }, { listeners }))).toEqual(['port.taken', 'port.taken']);
  expect(codes(await found('precheck.ports', { role: 'control-plane' }, { listeners }, ours))).toEqual([]);
});

it('counts only the memory that the cgroup leaves', async () => {
  const r = await found('precheck.resources', { role: 'control-plane' }, { memory: { total: 16e9, available: 9e9, limit: 2 ** 29, swap: 0 } });
  expect(r).toMatchObject({ outcome: 'refused', findings: [{ code: 'memory.low', message: expect.stringContaining('cgroup') as string }] });
});
it('says all that is short at once', async () => {
  const facts = {
    cpus: 1,
    memory: { total: 1.5e9, available: 1e9, limit: null, swap: 0 },
    disks: [{ mount: '/', type: 'ext4', size: 10e9, free: 1e9, inodesFree: 1000 }],
  };
  const r = await found('precheck.resources', { role: 'control-plane' }, facts, (h) => { h.syncMs = 80; }); // prettier-ignore
  expect(codes(r)).toEqual(['memory.tight', 'cpu.low', 'disk.full', 'disk.inodes', 'disk.slow']);
});

it.each([
  ['a foreign Docker', 'precheck.runtime', {}, { containerRuntimes: [{ kind: 'docker', version: '20.10', package: 'docker.io', unit: 'docker.service', socket: null, ours: false }] }, ['runtime.foreign']],
  ['our own containerd', 'precheck.runtime', {}, { containerRuntimes: [{ kind: 'containerd', version: null, package: null, unit: 'containerd.service', socket: null, ours: true }] }, []],
  ['cri-o although adopting', 'precheck.runtime', { foreign: 'adopt' }, { containerRuntimes: [{ kind: 'cri-o', version: '1', package: 'cri-o', unit: 'crio.service', socket: null, ours: false }] }, ['runtime.not-adoptable', 'runtime.adopted']],
  ['a clock two hours ahead', 'precheck.clock', { serverTimeMs: 0 }, { time: { wallMs: 7_200_000, service: null, synchronized: false } }, ['clock.skew']],
  ['a clock ten seconds behind', 'precheck.clock', { serverTimeMs: 10_000 }, {}, ['clock.skew']],
  ['a pod range that is routed', 'precheck.network', network, { routes: [{ destination: '10.244.7.0/24', gateway: '10.0.0.1', interface: 'eth0', metric: 0 }] }, ['network.no-default-route', 'network.overlap']],
  ['ranges that overlap', 'precheck.network', { podCidr: '10.96.0.0/16', serviceCidr: '10.96.0.0/12' }, {}, ['network.overlap']],
  ['several addresses and no choice', 'precheck.network', network, { addresses: ['10.0.0.11', '192.0.2.4'].map((address, i) => ({ interface: `eth${i}`, address, prefix: 24, mac: '' })) }, ['network.choose-address']],
  ['an address that is not there', 'precheck.network', { ...network, address: '10.0.0.99' }, {}, ['network.no-such-address']],
  ['IPv6 alone', 'precheck.network', network, { addresses: [] }, ['network.no-ipv4']],
  ['another processor', 'precheck.os', {}, { arch: 'aarch64' }, ['os.arch']],
  ['an untried system', 'precheck.os', {}, { os: { id: 'arch', version: '', name: 'Arch Linux', idLike: [] }, packageManager: null }, ['os.package-manager']],
  ['another init', 'precheck.init', {}, { init: 'runit' }, ['init.not-systemd']],
  ['a container without its own sysctl', 'precheck.init', {}, { container: 'lxc', canSetSysctl: false, canLowerOomScore: false }, ['init.container', 'init.oom-score', 'init.sysctl']],
  ['a kernel without vxlan', 'precheck.kernel', { backend: 'vxlan' }, { kernelFeatures: { vxlan: false } }, ['kernel.no-vxlan']],
  ['the same where it is not needed', 'precheck.kernel', { backend: 'host-gw' }, { kernelFeatures: { vxlan: false } }, []],
  ['a twin of another node', 'precheck.identity', { name: 'n1', others: [{ name: 'n2', hostname: 'n1', machineId: 'machine-n1' }] }, {}, ['identity.machine-id-twice', 'identity.hostname-twice']],
  ['a held lock', 'precheck.packages', {}, { packages: { interrupted: false, lockHolder: 'apt-get (pid 3)', unattendedUpgrades: true } }, ['package.lock', 'package.unattended-upgrades']],
  ['a firewall that is left alone', 'precheck.security', { firewall: 'ignore' }, { firewall: { tools: ['ufw'], dropsInput: true, dropsForward: true } }, ['firewall.drops']],
] as [string, string, object, Partial<Facts>, string[]][])('sees %s', async (...[, task, input, facts, expected]) => {
  const r = await found(task, input, facts);
  expect(codes(r)).toEqual(expected);
  expect(r.findings.filter((f) => f.severity !== 'info' && f.remedy === '')).toEqual([]);
  expect(r.outcome).toBe(r.findings.some((f) => f.severity === 'blocker') ? 'refused' : 'satisfied');
}); // prettier-ignore

it('names an interrupted dpkg, and the packages', async () => {
  const r = await found('precheck.packages', {}, { packages: { interrupted: true, lockHolder: null, unattendedUpgrades: false } }, (h) => { h.packages.halfDone = ['chrony']; }); // prettier-ignore
  expect(r).toMatchObject({ outcome: 'refused', findings: [{ code: 'package.interrupted', message: expect.stringContaining('chrony') as string }] });
});
it('tells of nodes that do not answer', async () => {
  const r = await found('precheck.peers', { peers: [{ name: 'n2', address: '10.0.0.12', port: 22 }, { name: 'n3', address: '10.0.0.13', port: 22 }] }, {}, (h) => { h.reachable = (host) => host !== '10.0.0.13'; }); // prettier-ignore
  expect(r).toMatchObject({ outcome: 'satisfied', findings: [{ code: 'peers.unreachable', message: expect.stringContaining('n3') as string }] });
});
