import { Cidr, ClusterName, HostOrIp, Ipv4, NodeName, Version } from '@strata/model';
import { z } from 'zod';
import { RuntimePlace, runtimePaths } from '../runtime-place';
import { kubernetesPaths as paths } from './kubernetes-paths';
import { toYaml, type Yaml, yamlDocuments } from './yaml';

/** Where pods learn of name servers: systemd-resolved's list of what it asks itself, or a file of ours. Absent: the machine's own /etc/resolv.conf. */
export const PodResolver = z.union([z.literal('resolved'), z.strictObject({ servers: z.array(Ipv4).min(1).max(3), search: z.array(HostOrIp) })]);
export type PodResolver = z.infer<typeof PodResolver>;
export const resolverPath = (r: PodResolver | undefined, own: string): string =>
  r === undefined ? '/etc/resolv.conf' : r === 'resolved' ? '/run/systemd/resolve/resolv.conf' : own;
export const resolverText = (r: Exclude<PodResolver, 'resolved'>): string =>
  `# Written by Strata: for pods\n${r.servers.map((s) => `nameserver ${s}\n`).join('')}${r.search.length > 0 ? `search ${r.search.join(' ')}\n` : ''}`;

/** What only this node's kubelet needs. A field is present only where a fact of the machine demands it. */
export const KubeletConstraints = z.strictObject({
  oomScoreAdj: z.literal(0).optional(), // the machine may not lower oom_score_adj
  failCgroupV1: z.literal(false).optional(), // the machine has cgroup v1
  failSwapOn: z.literal(false).optional(), // the machine keeps its swap; pods do not use it
  resolver: PodResolver.optional(),
  nearlyFullDisk: z.literal(true).optional(), // evict by what is free in bytes, not by a share of a disk that is full of other things
});
export type KubeletConstraints = z.infer<typeof KubeletConstraints>;

/** kube-proxy has one configuration for all nodes: the needs of the weakest. */
export const ProxySettings = z.strictObject({
  mode: z.enum(['nftables', 'iptables']),
  oomScoreAdj: z.literal(0).optional(),
  conntrack: z.literal('leave').optional(), // a sysctl that belongs to the machine around us
});
export type ProxySettings = z.infer<typeof ProxySettings>;

/** What kubeadm makes a control plane of. */
export const ControlPlaneSettings = z.strictObject({
  cluster: ClusterName,
  version: Version,
  endpoint: HostOrIp, // api.CLUSTER.strata.internal
  podCidr: Cidr,
  serviceCidr: Cidr,
  sans: z.array(HostOrIp),
  proxy: ProxySettings,
});
export type ControlPlaneSettings = z.infer<typeof ControlPlaneSettings>;

export const NodeRegistration = z.strictObject({ name: NodeName, address: Ipv4, runtime: RuntimePlace.optional() });
export type NodeRegistration = z.infer<typeof NodeRegistration>;

const args = (values: Record<string, string>): Yaml => Object.entries(values).map(([name, value]) => ({ name, value }));
const registration = (node: NodeRegistration): Yaml => ({
  name: node.name,
  criSocket: `unix://${runtimePaths[node.runtime ?? 'own'].socket}`,
  imagePullPolicy: 'IfNotPresent',
  kubeletExtraArgs: args({ 'node-ip': node.address }),
  taints: [],
});

/** The file for `kubeadm init phase …`: four documents. Images are imported by us, so none may ever be collected. */
export function initConfiguration(node: NodeRegistration, control: ControlPlaneSettings): string {
  const api = 'kubeadm.k8s.io/v1beta4';
  return yamlDocuments([
    {
      apiVersion: api,
      kind: 'InitConfiguration',
      localAPIEndpoint: { advertiseAddress: node.address, bindPort: 6443 },
      nodeRegistration: registration(node),
      patches: { directory: paths.patches },
    },
    {
      apiVersion: api,
      kind: 'ClusterConfiguration',
      clusterName: control.cluster,
      kubernetesVersion: `v${control.version}`,
      controlPlaneEndpoint: `${control.endpoint}:6443`,
      encryptionAlgorithm: 'ECDSA-P256',
      networking: { podSubnet: control.podCidr, serviceSubnet: control.serviceCidr },
      apiServer: {
        certSANs: control.sans,
        extraArgs: args({ 'encryption-provider-config': paths.encryption }),
        extraVolumes: [{ name: 'encryption', hostPath: paths.encryption, mountPath: paths.encryption, readOnly: true, pathType: 'File' }],
      },
    },
    { apiVersion: 'kubelet.config.k8s.io/v1beta1', kind: 'KubeletConfiguration', cgroupDriver: 'systemd' },
    {
      apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
      kind: 'KubeProxyConfiguration',
      mode: control.proxy.mode,
      oomScoreAdj: control.proxy.oomScoreAdj,
      conntrack: control.proxy.conntrack === undefined ? undefined : { maxPerCore: 0, min: 0 },
    },
  ]);
}

/** The file for `kubeadm join phase …`. Holds the bootstrap token: 0600, and gone when the node has its certificate. */
export function joinConfiguration(node: NodeRegistration, token: string): string {
  return toYaml({
    apiVersion: 'kubeadm.k8s.io/v1beta4',
    kind: 'JoinConfiguration',
    discovery: { file: { kubeConfigPath: paths.discovery }, tlsBootstrapToken: token },
    nodeRegistration: registration(node),
    patches: { directory: paths.patches },
  });
}

/** A kubeconfig that knows the cluster and its CA and nobody's credentials. */
export function discoveryConfig(endpoint: string, caPem: string): string {
  return toYaml({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'cluster', cluster: { server: `https://${endpoint}:6443`, 'certificate-authority-data': btoa(caPem) } }],
    contexts: [{ name: 'cluster', context: { cluster: 'cluster', user: 'nobody' } }],
    'current-context': 'cluster',
    users: [{ name: 'nobody', user: {} }],
  });
}

/** kubelet's own kubeconfig, as it writes it itself once it is admitted: for a node that lost the file and still has its certificate. */
export function kubeletConfig(endpoint: string, caPem: string): string {
  const certificate = paths.kubeletClient;
  return toYaml({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'default-cluster', cluster: { server: `https://${endpoint}:6443`, 'certificate-authority-data': btoa(caPem) } }],
    contexts: [{ name: 'default-context', context: { cluster: 'default-cluster', namespace: 'default', user: 'default-auth' } }],
    'current-context': 'default-context',
    users: [{ name: 'default-auth', user: { 'client-certificate': certificate, 'client-key': certificate } }],
  });
}

/** kubeadm's patch of this node's kubelet configuration. */
export function kubeletPatch(c: KubeletConstraints): string {
  return toYaml({
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    // for each node by itself: kubeadm would take the control plane's for all
    resolvConf: resolverPath(c.resolver, paths.resolver),
    oomScoreAdj: c.oomScoreAdj,
    failCgroupV1: c.failCgroupV1,
    failSwapOn: c.failSwapOn,
    imageGCHighThresholdPercent: c.nearlyFullDisk && 100, // never: the disk is full of other things, and no image would make room
    evictionHard: c.nearlyFullDisk && { 'memory.available': '100Mi', 'nodefs.available': '500Mi', 'imagefs.available': '500Mi', 'nodefs.inodesFree': '1%' },
  });
}

/**
 * The kubeconfig that leaves the node: the administrator's credentials of `adminConf`, an address that always works, and the name
 * that the certificate must hold. @throws Error if `adminConf` is not as kubeadm writes it.
 */
export function kubeconfigOf(adminConf: string, to: { cluster: string; address: string; endpoint: string }): string {
  const field = (name: string): string => {
    const value = new RegExp(`^\\s*${name}: (\\S+)$`, 'm').exec(adminConf)?.[1];
    if (value === undefined) throw new Error(`${paths.adminConf} holds no ${name}`);
    return value;
  };
  const user = `${to.cluster}-admin`;
  return toYaml({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name: to.cluster,
        cluster: { server: `https://${to.address}:6443`, 'tls-server-name': to.endpoint, 'certificate-authority-data': field('certificate-authority-data') },
      },
    ],
    contexts: [{ name: to.cluster, context: { cluster: to.cluster, user } }],
    'current-context': to.cluster,
    users: [{ name: user, user: { 'client-certificate-data': field('client-certificate-data'), 'client-key-data': field('client-key-data') } }],
  });
}
