import { portsOf, storagePartsOn } from '@strata/model';
import type { PlanContext, PlannedNode } from './context';
import { storagePackages } from './storage';

/** Packages that every node needs beside those of the spec, by the names of its package manager. */
export function basePackages(c: PlanContext, n: PlannedNode): string[] {
  const base = kubeletPackages(n);
  const time =
    c.spec.native.ntp.enabled && n.facts.time.canSet !== false && (n.facts.time.service === null || c.spec.native.ntp.servers.length > 0) ? ['chrony'] : [];
  const tunnel = c.tunnel ? ['openvpn'] : [];
  const trust = c.outside.certificates.length > 0 ? ['ca-certificates'] : []; // what makes them trusted beside the vendors'
  const policies = c.bundles.some((b) => b.content.components.some((m) => m.component.provides?.includes('network-policy'))) ? ['ipset'] : []; // an uninstall takes their sets of addresses out by it
  return [...new Set([...base, ...time, ...trust, ...tunnel, ...policies, ...storagePackages(c, n), ...c.spec.native.packages])].sort();
}

/** What kubelet and kube-proxy call. */
const kubeletPackages = (n: PlannedNode): string[] => [n.facts.packageManager === 'dnf' ? 'conntrack-tools' : 'conntrack', 'ethtool', 'nftables', 'socat'];
/** What nothing may upgrade behind the node's back: what kubelet calls, and the runtime where it is somebody else's. */
export function heldPackages(n: PlannedNode): string[] {
  const runtime =
    n.runtime === 'adopted' ? n.facts.containerRuntimes.flatMap((r) => (!r.ours && r.package && !r.package.includes(' ') ? [r.package] : [])) : [];
  return [...new Set([...kubeletPackages(n), ...runtime, ...(runtime.length > 0 ? ['runc'] : [])])].sort();
}

/** What grows on this node and may lie on another disk than the system. */
export function dataKinds(n: PlannedNode, ownRuntime: boolean): ('containerd' | 'containerd-beside' | 'kubelet' | 'etcd' | 'rancher')[] {
  if (!ownRuntime) return ['rancher', 'kubelet'];
  const runtime = { own: ['containerd'], beside: ['containerd-beside'], adopted: [] } as const;
  return [...runtime[n.runtime], 'kubelet', ...(n.role === 'control-plane' ? (['etcd'] as const) : [])];
}

/** Forwarding between pods and nodes; more watches than a desktop needs. */
export const sysctlSettings = (n: PlannedNode): Record<string, string> => ({
  'net.ipv4.ip_forward': '1',
  ...(n.facts.kernelFeatures.br_netfilter ? { 'net.bridge.bridge-nf-call-iptables': '1' } : {}),
  ...(n.can.container ? {} : { 'fs.inotify.max_user_instances': '8192', 'fs.inotify.max_user_watches': '524288' }),
});

/** What other machines must reach on this node. Networks, not machines: a node that is added later needs no change here. */
export function openPorts(c: PlanContext, n: PlannedNode): { proto: 'tcp' | 'udp'; port: number; from: string[] }[] {
  const peers = [...new Set([...c.nodes.map(networkOf), ...(c.tunnel ? [c.spec.network.tunnelCidr] : [])])].sort();
  return portsOf(n.role, c.tunnel, storagePartsOn(c.spec, n.name))
    .filter((p) => p.from !== 'itself' && (p.backend === undefined || p.backend === c.spec.network.backend))
    .map(({ proto, port, from }) => ({ proto, port, from: from === 'anywhere' ? [] : peers }));
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
