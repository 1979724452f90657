import { type Catalog, type CatalogEntry, ClusterSpec, type ClusterSpecInput, type Facts, kubernetesComponents, type RunIntent } from '@strata/model';
import type { PlanRequest } from '../request';

const none = '0'.repeat(64);
const image = (name: string, version: string, ref: string): CatalogEntry => ({
  name, version, ref, kind: 'image', approximateSize: 1, sources: [{ from: 'recipe', recipe: name, publisher: 'test', unofficial: false }],
}); // prettier-ignore
const file = (name: string, version: string, kind: 'file' | 'archive' = 'file'): CatalogEntry => ({
  name, version, kind, approximateSize: 1, sources: [{ from: 'url', url: `https://vendor.invalid/${name}`, publisher: 'test' }],
}); // prettier-ignore

/** What plans of these tests may take from: the names of the real catalog, of no content. */
export function catalogOf(kubernetesVersion = '1.37.2'): Catalog {
  const c = kubernetesComponents(kubernetesVersion);
  const versions = { etcd: c.etcd, coredns: c.coredns, pause: c.pause } as Record<string, string>;
  return {
    digest: none,
    obtained: {},
    entries: [
      ...['kubeadm', 'kubelet', 'kubectl'].map((name) => file(name, kubernetesVersion)),
      ...['etcdctl', 'etcdutl'].map((name) => file(name, c.etcd)),
      ...Object.entries(c.images).map(([name, ref]) => image(`image-${name}`, versions[name] ?? kubernetesVersion, ref)),
      file('containerd', '2.4.2', 'archive'), file('runc', '1.4.3'), file('cni-plugins', '1.9.1', 'archive'), file('k3s', '1.34.4+k3s1'), file('juicefs', '1.4.2'), file('seaweedfs', '4.48'), file('minio', '2026.2.12'), file('minio-client', '2025.3.13'), file('helm', '3.22.0'),
      file('k3s-airgap-images', '1.34.4+k3s1'), image('image-flannel', '0.28.10', 'strata.local/flannel:v0.28.10'), image('image-web', '1.0', 'strata.local/web:1'),
    ],
  }; // prettier-ignore
}
/** Not a digest: the same text gives the same 64 digits, which is all that a plan asks. */
export function fakeSha256(text: string): string {
  let h = 7;
  for (let i = 0; i < text.length; i++) h = (Math.imul(h, 31) + text.charCodeAt(i)) >>> 0;
  return h.toString(16).padStart(8, '0').repeat(8);
}

/** An ordinary machine: Debian 12 on bare metal, one network card, plenty of everything. */
export function bareMetal(address: string, over: Partial<Facts> = {}): Facts {
  return {
    hostname: 'debian', machineId: fakeSha256(address).slice(0, 32), bootId: 'b', os: { id: 'debian', version: '12', name: 'Debian 12', idLike: [] }, kernel: '6.1.0-18-amd64', arch: 'x86_64', init: 'systemd',
    container: null, cpus: 4, memory: { total: 8e9, available: 7e9, limit: null, swap: 0 },
    disks: [{ mount: '/', type: 'ext4', size: 100e9, free: 80e9, inodesFree: 1e6 }], addresses: [{ interface: 'lo', address: '127.0.0.1', prefix: 8, mac: '' }, { interface: 'eth0', address, prefix: 24, mac: '02:00:00:00:00:01' }],
    routes: [{ destination: 'default', gateway: '10.0.0.1', interface: 'eth0', metric: 0 }], mtu: { eth0: 1500 }, listeners: [],
    dns: { servers: ['10.0.0.1'], search: [], managedBy: 'file', target: null }, time: { wallMs: 0, service: 'systemd-timesyncd.service', synchronized: true },
    cgroup: 'v2', canLowerOomScore: true, canSetSysctl: true, readOnlySysctl: false, kernelFeatures: { nftables: true, vxlan: true, fuse: true, overlay: true, br_netfilter: true, conntrack: true },
    packageManager: 'apt', packages: { interrupted: false, lockHolder: null, unattendedUpgrades: false }, containerRuntimes: [],
    firewall: { tools: [], dropsInput: false, dropsForward: false }, security: { selinux: 'disabled', apparmor: false }, gpus: [], hostKeys: [], nofile: 1_048_576,
    ...over,
  }; // prettier-ignore
}
/** An LXC guest: its own network, no right to lower oom_score_adj, sysctl of the machine around it read-only. */
export const lxc = (address: string): Facts => bareMetal(address, { container: 'lxc', canLowerOomScore: false, readOnlySysctl: true, nofile: 65_536 });
/** A lab node: systemd-nspawn on cgroup v1, few file descriptors, a disk that is full of other things. */
export const labNode = (address: string): Facts =>
  bareMetal(address, {
    container: 'systemd-nspawn', canLowerOomScore: false, readOnlySysctl: true, cgroup: 'hybrid', nofile: 20_000, kernel: '6.18.44',
    time: { wallMs: 0, service: null, synchronized: false }, disks: [{ mount: '/', type: 'overlay', size: 100e9, free: 12e9, inodesFree: 1e6 }],
    kernelFeatures: { nftables: true, vxlan: true, fuse: true, overlay: true, br_netfilter: false, conntrack: true },
  }); // prettier-ignore

type Spec = ClusterSpecInput['spec'];
export const specOf = (spec: Partial<Spec> & Pick<Spec, 'nodes'>): ClusterSpec =>
  ClusterSpec.parse({ apiVersion: 'strata/v1', kind: 'Cluster', metadata: { name: 'home' }, spec: { distribution: { kind: 'kubernetes' }, ...spec } });
/** n1 is the control plane, the others are workers, all by SSH, at 10.0.0.11 and on. */
export const nodesOf = (n: number): Spec['nodes'] =>
  Array.from({ length: n }, (_, i) => ({
    name: `n${i + 1}`,
    address: `10.0.0.${11 + i}`,
    role: i === 0 ? ('control-plane' as const) : ('worker' as const),
    ssh: {},
  }));
export const factsOf = (spec: ClusterSpec, kind: (address: string) => Facts = bareMetal): Map<string, Facts> =>
  new Map(spec.spec.nodes.map((n, i) => [n.name, kind(`10.0.0.${11 + i}`)]));

/** A request with everything at hand, to be changed by the test. */
export function requestOf(spec: ClusterSpec, over: Partial<PlanRequest> & { intent?: RunIntent } = {}): PlanRequest {
  return {
    id: 'plan-1', clusterId: 'c1', spec, specVersion: 1, facts: factsOf(spec), enrolled: new Map(), absent: [], catalog: catalogOf(), bundles: {},
    intent: intentOf('install'), now: 0, sha256: fakeSha256, ...over,
  }; // prettier-ignore
}
export const intentOf = (kind: RunIntent['kind'], nodes: string[] = [], force = false): RunIntent => ({ kind, nodes, dryRun: false, force });
