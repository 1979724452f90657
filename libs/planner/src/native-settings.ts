import type { PlanContext, PlannedNode } from './context';

/** Packages that every node needs beside those of the spec, by the names of its package manager. */
export function basePackages(c: PlanContext, n: PlannedNode): string[] {
  const base = n.facts.packageManager === 'dnf' ? ['conntrack-tools', 'ethtool', 'nftables', 'socat'] : ['conntrack', 'ethtool', 'nftables', 'socat'];
  const time =
    c.spec.native.ntp.enabled && n.facts.time.canSet !== false && (n.facts.time.service === null || c.spec.native.ntp.servers.length > 0) ? ['chrony'] : [];
  return [...new Set([...base, ...time, ...c.spec.native.packages])].sort();
}

/** Forwarding between pods and nodes; more watches than a desktop needs. */
export const sysctlSettings = (n: PlannedNode): Record<string, string> => ({
  'net.ipv4.ip_forward': '1',
  ...(n.facts.kernelFeatures.br_netfilter ? { 'net.bridge.bridge-nf-call-iptables': '1' } : {}),
  ...(n.can.container ? {} : { 'fs.inotify.max_user_instances': '8192', 'fs.inotify.max_user_watches': '524288' }),
});

/** What other machines must reach on this node. Networks, not machines: a node that is added later needs no change here. */
export function openPorts(c: PlanContext, n: PlannedNode): { proto: 'tcp' | 'udp'; port: number; from: string[] }[] {
  const peers = [...new Set(c.nodes.map(networkOf))].sort();
  return [
    ...(n.role === 'control-plane' ? [{ proto: 'tcp' as const, port: 6443, from: [] }] : []), // people and agents, from anywhere
    { proto: 'tcp', port: 10250, from: peers },
    ...(c.spec.network.backend === 'vxlan' ? [{ proto: 'udp' as const, port: 8472, from: peers }] : []),
  ];
}
/** The network that a node's address is in, as its interface says. */
function networkOf(n: PlannedNode): string {
  const prefix = n.facts.addresses.find((a) => a.address === n.address)?.prefix ?? 32;
  const bits = n.address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
  const network = prefix === 0 ? 0 : Math.floor(bits / 2 ** (32 - prefix)) * 2 ** (32 - prefix);
  return `${[24, 16, 8, 0].map((shift) => Math.floor(network / 2 ** shift) % 256).join('.')}/${prefix}`;
}
/** Traffic of pods is the cluster's own. */
export const trusted = (c: PlanContext): { trust: string[]; interfaces: string[] } => ({
  trust: [c.spec.network.podCidr],
  interfaces: ['cni0', ...(c.spec.network.backend === 'vxlan' ? ['flannel.1'] : [])],
});
