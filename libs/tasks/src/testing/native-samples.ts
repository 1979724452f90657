import type { ArchiveArtifact, FileArtifact, ImageArtifact } from '@strata/model';
import type { MemoryHost } from './memory-host';
import { outsideSamples } from './outside-samples';
import { seedIptables } from './memory-iptables';
import { storageSamples } from './storage-samples';

/** An input that a native task accepts, and a machine on which it has something to do. */
export interface TaskSample {
  task: string;
  input: unknown;
  prepare?(host: MemoryHost): void;
}
/** 64 hexadecimal digits that stand for the content named `name`. */
export const sampleDigest = (name: string): string => [...name].map((c) => c.charCodeAt(0).toString(16)).join('').padEnd(64, '0').slice(0, 64); // prettier-ignore
const blob = (name: string): { sha256: string; size: number } => ({ sha256: sampleDigest(name), size: 1000 });
export const sampleFile = (name: string, version = '1.4.3'): FileArtifact => ({ kind: 'file', name, version, blob: blob(name) });
export const sampleArchive = (name: string, version = '2.4.2'): ArchiveArtifact => ({ kind: 'archive', name, version, blob: blob(name) });
export const sampleImage = (name: string): ImageArtifact => ({
  kind: 'image', name: `image-${name}`, version: '1.0.0', ref: `strata.local/${name}:v1.0.0`,
  blobs: ['manifest', 'config', 'layer'].map((part) => ({ ...blob(`${name}-${part}`), mediaType: `application/vnd.oci.image.${part}` })),
}); // prettier-ignore
const onNode = (host: MemoryHost, ...artifacts: (FileArtifact | ArchiveArtifact)[]): void => artifacts.forEach((a) => host.files.blobs.add(a.blob.sha256));
/** A containerd of ours that runs. */
export function seedContainerd(host: MemoryHost): void {
  host.files.put(
    '/etc/systemd/system/containerd.service',
    '# Written by Strata\n[Service]\nExecStart=/usr/local/bin/containerd\n[Install]\nWantedBy=multi-user.target\n',
  );
  host.units.active.set('containerd.service', { pid: 1, failed: false });
}

const tunnel = { identity: { $secret: 'sample:identity' }, name: 'home.n3', address: '10.250.3.3', prefix: 16, mtu: 1500, port: 7447 };

/** At least one for every native task that changes something. */
export const nativeSamples: readonly TaskSample[] = [
  { task: 'packages.install', input: { packages: ['gcc', 'net-tools', 'socat', 'conntrack'] }, prepare: (h) => h.packages.seed('socat', 'curl') },
  { task: 'packages.install', input: { packages: ['chrony'] } },
  { task: 'packages.source', input: { archive: sampleArchive('os-packages-debian-12') }, prepare: (h) => { onNode(h, sampleArchive('os-packages-debian-12')); h.files.members.set('Packages', 'Package: chrony\nFilename: ./chrony_0123.deb\n'); } },
  { task: 'hostname.set', input: { name: 'worker-7' } },
  { task: 'hostname.set', input: { name: 'worker-7' }, prepare: (h) => h.files.put('/etc/cloud/cloud.cfg', 'preserve_hostname: false\n') },
  { task: 'hosts.block', input: { entries: [{ address: '10.0.0.11', names: ['api.home.strata.internal', 'n1'] }] } },
  { task: 'hosts.block', input: { entries: [{ address: '10.0.0.11', names: ['n1'] }] }, prepare: (h) => h.files.put('/etc/hosts', '127.0.0.1 localhost', 0o600) },
  { task: 'hosts.block', input: { entries: [{ address: '10.0.0.11', names: ['n1'] }] }, prepare: (h) => h.files.put('/etc/cloud/cloud.cfg', '') },
  { task: 'hosts.block', input: { entries: [{ address: '10.0.0.11', names: ['n1'] }] }, prepare: (h) => h.files.put('/etc/cloud/templates/hosts.debian.tmpl', '127.0.1.1 {{fqdn}}\n') },
  { task: 'dns.configure', input: { servers: ['198.51.100.1'], search: ['corp.example'] } },
  { task: 'dns.configure', input: { servers: ['198.51.100.1'], search: [] }, prepare: (h) => { h.baseFacts.dns.managedBy = 'systemd-resolved'; h.units.seed('systemd-resolved.service', { active: true, enabled: true }); } },
  { task: 'dns.configure', input: { servers: ['198.51.100.1'], search: [] }, prepare: (h) => { h.baseFacts.dns.managedBy = 'networkmanager'; h.units.seed('NetworkManager.service', { active: true, enabled: true }); } },
  { task: 'ntp.configure', input: { servers: ['ntp.example'] }, prepare: (h) => h.packages.seed('chrony') },
  { task: 'ntp.configure', input: { servers: [] }, prepare: (h) => { h.packages.seed('chrony'); h.units.active.delete('chrony.service'); } },
  { task: 'sshd.configure', input: { authorizedKeys: ['ssh-ed25519 AAAA ops'], passwordLogin: 'off' } },
  { task: 'sshd.configure', input: { authorizedKeys: ['ssh-ed25519 AAAA ops'], passwordLogin: 'keep' }, prepare: (h) => h.files.put('/root/.ssh/authorized_keys', 'ssh-ed25519 BBBB me', 0o600) },
  { task: 'kernel.modules', input: { modules: ['overlay', 'br_netfilter', 'nf_conntrack'] } },
  { task: 'kernel.sysctl', input: { settings: { 'net.ipv4.ip_forward': '1', 'fs.inotify.max_user_instances': '8192', 'vm.max_map_count': '1000' } } },
  { task: 'swap.policy', input: { policy: 'off' }, prepare: (h) => { h.swaps.push({ device: '/dev/sda2', size: 1e9 }); h.files.put('/etc/fstab', '/dev/sda1 / ext4 defaults 0 1\n/dev/sda2 none swap sw 0 0\n'); } },
  ...outsideSamples,
  { task: 'limits.configure', input: { nofile: 1_048_576 } },
  { task: 'journald.configure', input: { maxUseMb: 500 } },
  { task: 'firewall.open', input: { ports: [{ proto: 'tcp', port: 6443, from: [] }, { proto: 'udp', port: 8472, from: ['10.0.0.12/32'] }], trust: ['10.244.0.0/16'], interfaces: ['cni0'] }, prepare: dropping },
  { task: 'firewall.open', input: { ports: [{ proto: 'udp', port: 8472, from: ['10.0.0.0/24'] }], trust: ['10.244.0.0/16'], interfaces: ['cni0'] }, prepare: (h) => { dropping(h); seedIptables(h); } },
  { task: 'upgrades.hold', input: { packages: ['conntrack', 'libstdc++6'] } },
  { task: 'data.place', input: { dataDir: '/data', kinds: ['containerd', 'kubelet', 'etcd'] } },
  { task: 'data.place', input: { dataDir: '/data', kinds: ['rancher', 'kubelet'] }, prepare: (h) => { h.mounted.push({ path: '/var/lib/kubelet', device: '/dev/sdb', type: 'ext4', options: [] }); h.files.place('/var/lib/rancher', { kind: 'directory', mode: 0o755, uid: 0, gid: 0 }); } },
  { task: 'localfs.layout', input: { path: '/strata/rootfs' } },
  { task: 'artifacts.fetch', input: { artifacts: [sampleFile('runc'), sampleArchive('containerd'), sampleImage('web')] }, prepare: (h) => onNode(h, sampleFile('runc')) },
  { task: 'runc.install', input: { artifact: sampleFile('runc') }, prepare: (h) => onNode(h, sampleFile('runc')) },
  { task: 'runc.install', input: { artifact: sampleFile('runc') }, prepare: (h) => { onNode(h, sampleFile('runc')); h.files.put('/usr/local/bin/runc', 'an older one', 0o755); } },
  { task: 'containerd.install', input: { archive: sampleArchive('containerd'), version: '2.4.2', pauseImage: 'registry.k8s.io/pause:3.10.2', restrictOomScore: true, systemdCgroup: true }, prepare: (h) => onNode(h, sampleArchive('containerd')) },
  { task: 'containerd.install', input: { archive: sampleArchive('containerd'), version: '2.4.2', pauseImage: 'registry.k8s.io/pause:3.10.2', restrictOomScore: false, systemdCgroup: true, foreign: 'adopt', place: 'beside' }, prepare: (h) => onNode(h, sampleArchive('containerd')) },
  { task: 'containerd.install', input: { archive: sampleArchive('containerd'), version: '2.4.2', pauseImage: 'registry.k8s.io/pause:3.10.2', restrictOomScore: true, systemdCgroup: true, proxy: { http: 'http://proxy.example:3128', https: 'http://proxy.example:3128', noProxy: ['.svc'] }, mirrors: { 'docker.io': ['https://mirror.example'] } }, prepare: (h) => onNode(h, sampleArchive('containerd')) },
  { task: 'cni.install', input: { archive: sampleArchive('cni-plugins', '1.9.1') }, prepare: (h) => onNode(h, sampleArchive('cni-plugins')) },
  { task: 'images.import', input: { images: [sampleImage('web'), sampleImage('db')] }, prepare: (h) => { seedContainerd(h); for (const b of sampleImage('web').blobs) h.files.blobs.add(b.sha256); } },
  { task: 'tunnel.configure', input: { ...tunnel, end: { kind: 'hub', listen: '10.0.0.11', peers: [{ name: 'home.n3', address: '10.250.3.3' }, { name: 'home.n2', address: '10.250.2.2', own: '10.0.0.12' }] } }, prepare: enrolled },
  { task: 'tunnel.configure', input: { ...tunnel, end: { kind: 'node', hub: '10.0.0.11', hubName: 'home.n1', answerThrough: true } }, prepare: enrolled },
  ...storageSamples,
]; // prettier-ignore

/** A machine with an agent, and with the device of tunnels. */
function enrolled(host: MemoryHost): void {
  host.files.put('/etc/strata/agent.yaml', '');
  host.files.put('/dev/net/tun', '');
}
/** A machine whose nftables drops what it does not know. */
function dropping(host: MemoryHost): void {
  host.extra.set('nft-chains', { 'inet filter input': [], 'inet filter forward': [] });
}
