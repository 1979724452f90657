import { type ClusterSpec, type Facts, HostOrIp } from '@strata/model';
import type { KubeletConstraints, ProxySettings } from '@strata/tasks';
import type { PlannedNode } from './context';

/** Below this share of free space kubelet's own thresholds would evict everything at once. */
const nearlyFull = 1 / 3;
const holdsPods = (facts: Facts): Facts['disks'] =>
  facts.disks.filter((d) => ['/', '/var', '/var/lib', '/var/lib/kubelet', '/var/lib/containerd'].includes(d.mount));

/** Settings of kubelet that this machine's facts demand; on an ordinary machine none. */
export const kubeletConstraints = (n: PlannedNode, spec: ClusterSpec['spec']): KubeletConstraints => ({
  ...(n.can.lowerOomScore ? {} : { oomScoreAdj: 0 }),
  ...(n.can.cgroupV1 ? { failCgroupV1: false } : {}),
  ...(keepsSwap(n, spec) ? { failSwapOn: false } : {}),
  ...podResolver(n.facts, spec),
  ...(holdsPods(n.facts).some((d) => d.size > 0 && d.free / d.size < nearlyFull) ? { nearlyFullDisk: true } : {}),
});

/**
 * Where the machine's own resolver would do harm in pods: a stub on loopback, which pods cannot reach and which the cluster's DNS would make a circle
 * of, and search domains under which any name resolves.
 */
function podResolver({ dns }: Facts, spec: ClusterSpec['spec']): Pick<KubeletConstraints, 'resolver'> {
  const loopback = dns.servers.some((s) => s.startsWith('127.'));
  const wildcard = dns.wildcard ?? [];
  if (dns.managedBy === 'systemd-resolved' && !loopback && wildcard.length === 0) return { resolver: 'resolved' };
  if (!loopback && wildcard.length === 0) return {};
  const servers = [...new Set([...spec.native.dns.servers, ...dns.servers.filter((s) => /^\d/.test(s) && !s.startsWith('127.'))])].slice(0, 3);
  return servers.length === 0 ? {} : { resolver: { servers, search: dns.search.filter((d) => !wildcard.includes(d) && HostOrIp.safeParse(d).success) } };
}

/** kubelet looks at the whole machine's swap, also from inside a container, which cannot switch it off. */
const keepsSwap = (n: PlannedNode, spec: ClusterSpec['spec']): boolean => n.facts.memory.swap > 0 && (spec.native.swap === 'keep' || n.can.container);

/** kube-proxy is one for all nodes: what the weakest of them demands. */
export const proxySettings = (nodes: readonly PlannedNode[]): ProxySettings => ({
  mode: nodes.every((n) => n.can.kernelNftables) ? 'nftables' : 'iptables',
  ...(nodes.every((n) => n.can.lowerOomScore) ? {} : { oomScoreAdj: 0 }),
  ...(nodes.every(ownsConntrack) ? {} : { conntrack: 'leave' }),
});
/** The connection table's size belongs to the machine around a container, even where other settings of the network are its own. */
const ownsConntrack = (n: PlannedNode): boolean => !n.can.container && n.can.setSysctl && !n.facts.readOnlySysctl;
