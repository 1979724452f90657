import { overlap } from '../native/cidr';

/** The places where a packet to this machine or through it can be dropped. */
export type Hook = 'ingress' | 'prerouting' | 'input' | 'forward';
export const isHook = (word: string): word is Hook => ['ingress', 'prerouting', 'input', 'forward'].includes(word);

/** The addresses whose traffic shall pass: a rule that drops only what is none of it is nobody's concern here. */
export interface Interest {
  ranges: readonly string[];
}
/** What any cluster needs, before a spec says more. */
export const anyCluster: Interest = { ranges: [] };

const virtual = /^(lo|docker\w*|br-\w+|virbr\w*|vnet\w*|veth\w*|lxcbr\w*|lxdbr\w*|cni-podman\w*|podman\w*)[*+]?$/;
/** Whether a rule for these interfaces can meet the cluster's traffic: it never comes by those of other container tools and guests. */
export const meetsLinks = (names: readonly string[], not: boolean): boolean => not || names.some((n) => !virtual.test(n));
/** "All ports but these" meets ours. A rule that names ports to keep shut, be they ours, is somebody's decision: the matrix of nodes shows it. */
export const meetsPorts = (_: readonly string[], not: boolean): boolean => not;
/** "Everybody but these" meets us; "these" only if they are ours. A named set (`@banned`) is a list of people to keep out. */
export const meetsRanges = (ranges: readonly string[], not: boolean, interest: Interest): boolean =>
  not || ranges.some((r) => interest.ranges.some((own) => overlap(r, own)));
/** A first packet, or any packet; rules about broken or known connections are no obstacle. */
export const meetsStates = (states: readonly string[], not: boolean): boolean => not || states.some((s) => /^(new|untracked)$/i.test(s));
export const meetsProtocols = (names: readonly string[], not: boolean): boolean => not || names.some((n) => /^(tcp|udp|all|6|17)$/.test(n));

/** Tables and chains of Kubernetes and its network: what they drop is theirs to say. */
export const clusterTable = /^(kube-proxy|flannel-\w+|cni_\w+|kube-\w+)$/;
export const clusterChain = /^(KUBE-|CNI-|FLANNEL-)/;
