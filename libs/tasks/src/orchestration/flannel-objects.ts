import type { KubeObject } from '../ports/cluster';
import { runtimePaths } from '../runtime-place';

export interface Flannel {
  podCidr: string;
  backend: 'vxlan' | 'host-gw';
  image: string;
  nftables: boolean;
  endpoint: string; // the API's name on every node
}
const namespace = 'kube-flannel';
const rbac = 'rbac.authorization.k8s.io';
const subnetFile = '/var/lib/flannel/subnet.env';
const name = 'flannel';
export const flannelDaemonSet = { apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'kube-flannel-ds', namespace } as const;

/** cniVersion 0.4.0: the flannel plugin is that of containernetworking/plugins v0.9.1, the last that has it. */
const cniConf = {
  name: 'cbr0',
  cniVersion: '0.4.0',
  plugins: [
    { type: 'flannel', subnetFile, delegate: { hairpinMode: true, isDefaultGateway: true } },
    { type: 'portmap', capabilities: { portMappings: true } },
  ],
};
/**
 * The CNI configuration goes in only after the subnet file exists: the node turns Ready when pods can really start. It goes where this node's runtime
 * looks: a containerd beside somebody else's has a folder of its own, which is there before.
 */
const publish = `B=busybox; until [ -s ${subnetFile} ]; do $B usleep 100000; done; D=${runtimePaths.own.cniConf}; [ -d ${runtimePaths.beside.cniConf} ] && D=${runtimePaths.beside.cniConf}; $B mkdir -p $D && $B cp -f /etc/kube-flannel/cni-conf.json $D/10-flannel.conflist`;
const mount = (volume: string, mountPath: string): object => ({ name: volume, mountPath });
const hostPath = (volume: string, path: string): object => ({ name: volume, hostPath: { path, type: 'DirectoryOrCreate' } });
const fieldRef = (variable: string, fieldPath: string): object => ({ name: variable, valueFrom: { fieldRef: { fieldPath } } });

/** The pod network. The subnet file is kept outside /run, so that pods start after a reboot before flanneld is back. */
export function flannelObjects(f: Flannel): KubeObject[] {
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels: { 'pod-security.kubernetes.io/enforce': 'privileged' } } },
    {
      apiVersion: `${rbac}/v1`,
      kind: 'ClusterRole',
      metadata: { name },
      rules: [
        { apiGroups: [''], resources: ['pods'], verbs: ['get'] },
        { apiGroups: [''], resources: ['nodes'], verbs: ['get', 'list', 'watch'] },
        { apiGroups: [''], resources: ['nodes/status'], verbs: ['patch'] },
      ],
    },
    {
      apiVersion: `${rbac}/v1`,
      kind: 'ClusterRoleBinding',
      metadata: { name },
      roleRef: { apiGroup: rbac, kind: 'ClusterRole', name },
      subjects: [{ kind: 'ServiceAccount', name, namespace }],
    },
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace } },
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'kube-flannel-cfg', namespace },
      data: {
        'cni-conf.json': JSON.stringify(cniConf),
        'net-conf.json': JSON.stringify({ Network: f.podCidr, EnableNFTables: f.nftables, Backend: { Type: f.backend } }),
      },
    },
    {
      apiVersion: flannelDaemonSet.apiVersion,
      kind: flannelDaemonSet.kind,
      metadata: { name: flannelDaemonSet.name, namespace, labels: { app: name } },
      spec: {
        selector: { matchLabels: { app: name } },
        updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '100%' } },
        template: { metadata: { labels: { app: name }, annotations: { 'strata.local/backend': `${f.backend} ${f.podCidr}` } }, spec: podSpec(f) },
      },
    },
  ];
}
const podSpec = (f: Flannel): object => ({
  hostNetwork: true,
  priorityClassName: 'system-node-critical',
  terminationGracePeriodSeconds: 2,
  tolerations: [{ operator: 'Exists', effect: 'NoSchedule' }],
  serviceAccountName: name,
  containers: [
    {
      name: 'kube-flannel',
      image: f.image,
      imagePullPolicy: 'IfNotPresent',
      // the address that the kubelet has, not that of the default route: a node has one address
      command: ['/opt/bin/flanneld', '--ip-masq', '--kube-subnet-mgr', '--iface=$(NODE_IP)', `--subnet-file=${subnetFile}`],
      lifecycle: { postStart: { exec: { command: ['busybox', 'sh', '-c', publish] } } },
      resources: { requests: { cpu: '50m', memory: '50Mi' } },
      securityContext: { privileged: false, capabilities: { add: ['NET_ADMIN', 'NET_RAW'] } },
      env: [
        fieldRef('POD_NAME', 'metadata.name'),
        fieldRef('POD_NAMESPACE', 'metadata.namespace'),
        fieldRef('NODE_IP', 'status.hostIP'),
        { name: 'EVENT_QUEUE_DEPTH', value: '5000' },
        // by its name on the host, not by the service's address: else the first start fails wherever kube-proxy is not done yet
        { name: 'KUBERNETES_SERVICE_HOST', value: f.endpoint },
        { name: 'KUBERNETES_SERVICE_PORT', value: '6443' },
      ],
      volumeMounts: [mount('var', '/var/lib/flannel'), mount('cni', '/etc/cni'), mount('flannel-cfg', '/etc/kube-flannel/')],
    },
  ],
  volumes: [hostPath('var', '/var/lib/flannel'), hostPath('cni', '/etc/cni'), { name: 'flannel-cfg', configMap: { name: 'kube-flannel-cfg' } }],
});
