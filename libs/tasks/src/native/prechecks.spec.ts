import type { Facts, Finding } from '@strata/model';
import { taskNamed } from '../registry';
import { MemoryHost, said, tryTask } from '../testing';

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
  ['precheck.runtime', {}], ['precheck.kubernetes', {}], ['precheck.identity', { name: 'n1' }], ['precheck.network', network], ['precheck.clock', { serverTimeMs: 0 }], ['precheck.dns', {}],
  ['precheck.packages', {}], ['precheck.cloud-init', {}], ['precheck.security', {}], ['precheck.peers', { peers: [{ name: 'n2', address: '10.0.0.12', port: 22 }] }],
  ['precheck.outside', { proxies: [{ host: 'proxy.example', port: 3128 }] }], ['precheck.storage', { cluster: 'home' }],
]; // prettier-ignore

it.each(all)('%s finds nothing on an ordinary machine', async (task, input) => {
  expect(await found(task, input)).toEqual({ outcome: 'satisfied', findings: [] });
});

it('names the cluster whose metadata an uninstall left, and takes back its own', async () => {
  const left = (h: MemoryHost): void => h.files.put('/var/lib/strata-metadata-mark/volume', 'strata-else\n');
  const r = await found('precheck.storage', { cluster: 'home' }, {}, left);
  expect(r).toMatchObject({ outcome: 'refused', findings: [{ code: 'storage.foreign-volume', message: expect.stringContaining('strata-else') as string }] });
  expect(codes(await found('precheck.storage', { cluster: 'else' }, {}, left))).toEqual([]);
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
  ['Docker that may stay', 'precheck.runtime', { foreign: 'adopt' }, { containerRuntimes: [{ kind: 'docker', version: '20.10', package: 'docker.io', unit: 'docker.service', socket: null, ours: false }] }, ['runtime.beside']],
  ['podman', 'precheck.runtime', {}, { containerRuntimes: [{ kind: 'podman', version: '4', package: 'podman', unit: 'podman.socket', socket: null, ours: false }] }, ['runtime.beside']],
  ['our own containerd', 'precheck.runtime', {}, { containerRuntimes: [{ kind: 'containerd', version: null, package: null, unit: 'containerd.service', socket: null, ours: true }] }, []],
  ['cri-o although adopting', 'precheck.runtime', { foreign: 'adopt' }, { containerRuntimes: [{ kind: 'cri-o', version: '1', package: 'cri-o', unit: 'crio.service', socket: null, ours: false }] }, ['runtime.not-adoptable']],
  ['a clock two hours ahead', 'precheck.clock', { serverTimeMs: 0 }, { time: { wallMs: 7_200_000, service: null, synchronized: false } }, ['clock.skew']],
  ['a clock ten seconds behind', 'precheck.clock', { serverTimeMs: 10_000 }, {}, ['clock.skew']],
  ['a pod range that is routed', 'precheck.network', network, { routes: [{ destination: '10.244.7.0/24', gateway: '10.0.0.1', interface: 'eth0', metric: 0 }] }, ['network.no-default-route', 'network.overlap']],
  ['ranges that overlap', 'precheck.network', { podCidr: '10.96.0.0/16', serviceCidr: '10.96.0.0/12' }, {}, ['network.overlap']],
  ['several addresses and no choice', 'precheck.network', network, { addresses: ['10.0.0.11', '192.0.2.4'].map((address, i) => ({ interface: `eth${i}`, address, prefix: 24, mac: '' })) }, ['network.choose-address']],
  ['an address that is not there', 'precheck.network', { ...network, address: '10.0.0.99' }, {}, ['network.no-such-address']],
  ['IPv6 alone', 'precheck.network', network, { addresses: [] }, ['network.no-ipv4']],
  ['a search domain under which any name resolves', 'precheck.dns', {}, { dns: { servers: ['198.51.100.1'], search: ['corp.example'], managedBy: 'file', target: null, wildcard: ['corp.example'] } }, ['dns.wildcard']],
  ['another time zone', 'precheck.clock', { serverTimeMs: 0, zones: ['Europe/Berlin', 'Etc/UTC'] }, { time: { wallMs: 0, service: null, synchronized: true, zone: 'Etc/UTC' } }, ['clock.zone']],
  ['the tunnel over a route of the machine', 'precheck.network', { ...network, tunnelCidr: '10.250.0.0/16' }, { routes: [{ destination: '10.250.7.0/24', gateway: '10.0.0.1', interface: 'eth0', metric: 0 }] }, ['network.no-default-route', 'network.overlap']],
  ['several addresses behind a NAT', 'precheck.network', { ...network, nat: true }, { addresses: ['10.0.0.11', '192.0.2.4'].map((address, i) => ({ interface: `eth${i}`, address, prefix: 24, mac: '' })) }, []],
  ['another processor', 'precheck.os', {}, { arch: 'aarch64' }, ['os.arch']],
  ['an untried system', 'precheck.os', {}, { os: { id: 'arch', version: '', name: 'Arch Linux', idLike: [] }, packageManager: null }, ['os.package-manager']],
  ['another init', 'precheck.init', {}, { init: 'runit' }, ['init.not-systemd']],
  ['a container without its own sysctl', 'precheck.init', {}, { container: 'lxc', canSetSysctl: false, canLowerOomScore: false }, ['init.container', 'init.oom-score', 'init.sysctl']],
  ['a Proxmox guest that was given nothing', 'precheck.init', {}, { container: 'lxc', userNamespace: true, devices: { '/dev/kmsg': false, '/dev/fuse': false } }, ['init.container', 'init.unprivileged', 'init.no-kmsg', 'init.no-fuse']],
  ['no device for the tunnel', 'precheck.network', { ...network, tunnelCidr: '10.250.0.0/16' }, { devices: { '/dev/net/tun': false } }, ['network.no-tun']],
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

describe('another cluster', () => {
  const look = async (prepare: (h: MemoryHost) => void): Promise<Awaited<ReturnType<typeof found>>> => found('precheck.kubernetes', {}, {}, prepare);
  it('is named by package, unit and files, and refused', async () => {
    const r = await look((h) => {
      h.packages.here.set('kubelet', '1.28.2-00');
      h.units.seed('kubelet.service');
      h.files.put('/etc/kubernetes/manifests/etcd.yaml', 'theirs');
      h.files.put('/var/lib/etcd/member/wal/0', 'theirs');
    });
    expect(r).toMatchObject({ outcome: 'refused', findings: [{ code: 'kubernetes.foreign' }] });
    expect(r.findings[0]?.message).toMatch(/package kubelet 1\.28\.2-00; unit kubelet\.service; files in \/etc\/kubernetes, \/var\/lib\/etcd/);
    expect(r.findings[0]?.remedy).toMatch(/kubeadm reset.*apt-get purge kubelet.*never removes/);
  });
  it('left over is refused, too; an empty folder is nobody’s', async () => {
    expect((await look((h) => h.files.put('/var/lib/rancher/k3s/server/token', 'x'))).findings[0]?.message).toMatch(/K3s.*\/var\/lib\/rancher\/k3s/);
    expect((await look((h) => void h.files.place('/etc/kubernetes', { kind: 'directory', mode: 0o755, uid: 0, gid: 0 }))).findings).toEqual([]);
  });
  it('is not ours: our own kubelet and its folders', async () => {
    const ours = (h: MemoryHost): void => {
      h.files.put('/etc/systemd/system/kubelet.service', '# Written by Strata\n[Service]\n');
      h.files.put('/var/lib/etcd/member/wal/0', 'ours');
    };
    expect((await look(ours)).findings).toEqual([]);
  });
  it('a client alone is named and stays', async () => {
    expect(codes(await look((h) => void h.packages.here.set('kubectl', '1.30')))).toEqual(['kubernetes.client']);
  });
});

it('names an interrupted dpkg, and the packages', async () => {
  const r = await found('precheck.packages', {}, { packages: { interrupted: true, lockHolder: null, unattendedUpgrades: false } }, (h) => { h.packages.halfDone = ['chrony']; }); // prettier-ignore
  expect(r).toMatchObject({ outcome: 'refused', findings: [{ code: 'package.interrupted', message: expect.stringContaining('chrony') as string }] });
});
it('tells of nodes that do not answer', async () => {
  const r = await found('precheck.peers', { peers: [{ name: 'n2', address: '10.0.0.12', port: 22 }, { name: 'n3', address: '10.0.0.13', port: 22 }] }, {}, (h) => { h.reachable = (host) => host !== '10.0.0.13'; }); // prettier-ignore
  expect(r).toMatchObject({ outcome: 'satisfied', findings: [{ code: 'peers.unreachable', message: expect.stringContaining('n3') as string }] });
});

it('refuses a resolver that asks only itself, unless the spec has name servers', async () => {
  const itself = (h: MemoryHost): void => h.files.put('/etc/resolv.conf', 'nameserver 127.0.0.1\n');
  expect(codes(await found('precheck.dns', {}, {}, itself))).toEqual(['dns.loopback']);
  expect(codes(await found('precheck.dns', { servers: ['198.51.100.1'] }, {}, itself))).toEqual([]);
});

describe('disks', () => {
  const GiB = 2 ** 30;
  const disk = (mount: string, free: number): Facts['disks'][number] => ({ mount, type: 'ext4', size: 100 * GiB, free: free * GiB, inodesFree: 1e6 });
  const input = { role: 'control-plane', dataPaths: ['/var/lib/containerd', '/var/lib/etcd', '/srv/data'] };
  const machine = (disks: Facts['disks']): ((h: MemoryHost) => void) => (h) => void Object.assign(h.mounts, { space: (mount: string) => Promise.resolve({ ...disks.find((d) => d.mount === mount) }) }); // prettier-ignore

  it('are asked where data will really be, each once, with all that is on it', async () => {
    const disks = [disk('/', 90), disk('/var', 1), disk('/srv', 0.05)];
    const { findings } = await found('precheck.resources', input, { disks }, machine(disks));
    expect(findings.map((f) => [f.code, f.message])).toEqual([
      ['disk.full', '1.0 GiB are free on /var, for /var/lib/containerd, /var/lib/etcd; at least 3.0 GiB are needed'],
      ['disk.full', '0.1 GiB are free on /srv, for /srv/data; at least 0.1 GiB are needed'],
    ]);
  });
  it('need less where only etcd is on them, and the remedy names what LVM has left', async () => {
    const disks = [disk('/', 90), disk('/var/lib/etcd', 1)];
    const { findings } = await found('precheck.resources', input, { disks, volumeGroups: [{ name: 'ubuntu-vg', free: 50 * GiB }] }, machine(disks));
    expect(findings).toMatchObject([{ code: 'disk.tight', remedy: expect.stringContaining('the volume group ubuntu-vg has 50.0 GiB free') as string }]);
  });
});

it('waits for cloud-init, and says how it ended', async () => {
  const states = ['running', 'running', 'done'];
  const cloud =
    (answers: string[]): ((h: MemoryHost) => void) =>
    (h) =>
      h.program('cloud-init', () => said(`status: ${answers.length > 1 ? (answers.shift() ?? '') : (answers[0] ?? '')}\ndetail:\nDataSourceNone\n`));
  expect(codes(await found('precheck.cloud-init', {}, {}, cloud(states)))).toEqual([]);
  expect(states).toEqual(['done']);
  const failed = await found('precheck.cloud-init', {}, {}, cloud(['error']));
  expect(failed.findings).toMatchObject([{ code: 'cloud-init.failed', message: expect.stringContaining('DataSourceNone') as string }]);
});

it('names the proxy that the machine does not reach', async () => {
  const input = { proxies: [{ host: 'proxy.example', port: 3128 }] };
  const closed = await found('precheck.outside', input, {}, (h) => (h.reachable = () => false));
  expect(closed).toMatchObject({ outcome: 'refused', findings: [{ code: 'outside.proxy', message: expect.stringContaining('proxy.example:3128') as string }] });
});
