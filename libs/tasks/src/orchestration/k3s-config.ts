import { Cidr, ClusterName, HostOrIp, unsetProxies, Version } from '@strata/model';
import { z } from 'zod';
import { KubeletConstraints, NodeRegistration, ProxySettings, resolverPath } from './kubeadm-config';
import { K3sOutside, k3sOutsideFiles, k3sOutsidePaths } from './k3s-outside';
import { toYaml, type Yaml } from './yaml';

/** Where K3s lives: its own layout. */
export const k3sPaths = {
  binary: '/usr/local/bin/k3s',
  etc: '/etc/rancher',
  config: '/etc/rancher/k3s/config.yaml',
  resolver: '/etc/rancher/k3s/strata-resolv.conf',
  kubeconfig: '/etc/rancher/k3s/k3s.yaml',
  agentToken: '/etc/rancher/k3s/agent-token',
  tokens: '/etc/rancher/k3s/strata-tokens',
  data: '/var/lib/rancher',
  images: '/var/lib/rancher/k3s/agent/images/k3s-airgap-images-amd64.tar.zst',
  caCert: '/var/lib/rancher/k3s/server/tls/server-ca.crt',
  kubeletClient: '/var/lib/rancher/k3s/agent/client-kubelet.crt',
} as const;
export const k3sFolders = ['/run/k3s'] as const;

/** What K3s makes a control plane of. */
export const K3sServerSettings = z.strictObject({
  cluster: ClusterName,
  version: Version,
  podCidr: Cidr,
  serviceCidr: Cidr,
  backend: z.enum(['vxlan', 'host-gw']),
  sans: z.array(HostOrIp),
});
export const K3sSettings = z.strictObject({
  node: NodeRegistration,
  endpoint: HostOrIp,
  flannelInterface: z
    .string()
    .regex(/^[\w.-]{1,15}$/)
    .optional(), // where the default route may lead elsewhere than the node's address
  kubelet: KubeletConstraints,
  proxy: ProxySettings,
  server: K3sServerSettings.optional(), // absent: an agent
  outside: K3sOutside.default({ proxy: null, mirrors: {} }),
});
export type K3sSettings = z.infer<typeof K3sSettings>;

const kubeletArgs = (k: KubeletConstraints): string[] => [
  ...(k.oomScoreAdj === undefined ? [] : ['oom-score-adj=0']),
  ...(k.failCgroupV1 === undefined ? [] : ['fail-cgroupv1=false']),
  ...(k.nearlyFullDisk ? ['image-gc-high-threshold=100', 'eviction-hard=memory.available<100Mi,nodefs.available<500Mi,imagefs.available<500Mi'] : []),
];
const proxyArgs = (p: ProxySettings): string[] => [
  ...(p.oomScoreAdj === undefined ? [] : ['oom-score-adj=0']),
  ...(p.conntrack === undefined ? [] : ['conntrack-max-per-core=0', 'conntrack-min=0']),
];

/** `config.yaml` of a server or an agent. No token is in it: an agent's is in a file that only root reads. */
export function k3sConfig(s: K3sSettings): string {
  // K3s reads these at its start only: that they are in the configuration, too, makes a change of them one that it is started anew for
  const beside = k3sOutsideFiles(s.outside).map((f) => `# ${f.path}: ${f.content.trimEnd().split('\n').join(' | ')}\n`);
  return `${ownConfig(s)}${beside.join('')}`;
}
function ownConfig(s: K3sSettings): string {
  const proxy = proxyArgs(s.proxy);
  const common = {
    'node-name': s.node.name,
    'node-ip': s.node.address,
    'flannel-iface': s.flannelInterface,
    'resolv-conf': s.kubelet.resolver && resolverPath(s.kubelet.resolver, k3sPaths.resolver),
    'kubelet-arg': kubeletArgs(s.kubelet),
    'kube-proxy-arg': proxy.length === 0 ? undefined : proxy,
  } satisfies Yaml;
  if (!s.server) return toYaml({ server: `https://${s.endpoint}:6443`, 'token-file': k3sPaths.agentToken, ...common });
  return toYaml({
    ...common,
    'advertise-address': s.node.address,
    'cluster-cidr': s.server.podCidr,
    'service-cidr': s.server.serviceCidr,
    'flannel-backend': s.server.backend,
    'tls-san': s.server.sans,
    'secrets-encryption': true,
    'write-kubeconfig-mode': '0600',
  });
}

/** The unit as K3s' own installer writes it. Pods outlive a restart of K3s. */
export const k3sUnit = (kind: 'server' | 'agent'): string => `[Unit]
Description=Lightweight Kubernetes (${kind})
Documentation=https://k3s.io
Wants=network-online.target
After=network-online.target

[Service]
Type=notify
${unsetProxies}
EnvironmentFile=-${k3sOutsidePaths.environment}
ExecStart=${k3sPaths.binary} ${kind}
KillMode=process
Delegate=yes
LimitNOFILE=1048576
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity
TimeoutStartSec=0
Restart=always
RestartSec=5s

[Install]
WantedBy=multi-user.target
`;
