import { metadataPort, objectsPort, type StoragePart } from './storage';
import { tunnelPort } from './tunnel';

/**
 * THE TABLE of ports and directions. The prechecks (is it free?), `firewall.open` (let it through), the pair matrix and docs/ports.md
 * all read it, so that none of them says something else.
 */
export interface ClusterPort {
  port: number;
  proto: 'tcp' | 'udp';
  /** Where it listens. */
  on: 'control-plane' | 'every node' | 'the metadata node' | 'the object-store node';
  /** Who connects: `itself` needs no way through a firewall. */
  from: 'anywhere' | 'nodes' | 'itself';
  what: string;
  /** Processes of the cluster that hold it. */
  holders: readonly string[];
  /** Only with this backend of the pod network. */
  backend?: 'vxlan';
  /** Only where a node is behind a NAT. */
  tunnel?: true;
  /** Only where this part of the shared file system runs. */
  storage?: StoragePart;
}
const k3s = ['k3s-server', 'k3s'];
/** Parts of SeaweedFS that guard themselves with nothing: on loopback only. Each speaks gRPC 10,000 above its own port. */
const seaweedfs = [['S3', 8333], ['master', 8334], ['volumes', 8335], ['filer', 8336]].flatMap(([what, port]) =>
  [...(what === 'S3' ? [] : [Number(port)]), Number(port) + 10_000].map((at): ClusterPort => ({ port: at, proto: 'tcp', on: 'the object-store node', from: 'itself', what: `SeaweedFS: ${what}`, holders: ['weed'], storage: 'seaweedfs' })),
); // prettier-ignore
export const clusterPorts: readonly ClusterPort[] = [
  { port: 6443, proto: 'tcp', on: 'control-plane', from: 'anywhere', what: 'the Kubernetes API', holders: ['kube-apiserver', ...k3s] },
  { port: 2379, proto: 'tcp', on: 'control-plane', from: 'itself', what: 'etcd', holders: ['etcd', ...k3s] },
  { port: 2380, proto: 'tcp', on: 'control-plane', from: 'itself', what: 'etcd', holders: ['etcd', ...k3s] },
  { port: 10257, proto: 'tcp', on: 'control-plane', from: 'itself', what: 'kube-controller-manager', holders: ['kube-controller-manager', 'kube-controller', ...k3s] },
  { port: 10259, proto: 'tcp', on: 'control-plane', from: 'itself', what: 'kube-scheduler', holders: ['kube-scheduler', ...k3s] },
  { port: 10250, proto: 'tcp', on: 'every node', from: 'nodes', what: 'kubelet', holders: ['kubelet', 'k3s-agent', ...k3s] },
  { port: 10256, proto: 'tcp', on: 'every node', from: 'itself', what: 'the health of kube-proxy', holders: ['kube-proxy', 'k3s-agent', ...k3s] },
  { port: 8472, proto: 'udp', on: 'every node', from: 'nodes', what: 'the pod network (vxlan)', holders: [], backend: 'vxlan' },
  { port: tunnelPort, proto: 'tcp', on: 'control-plane', from: 'anywhere', what: 'the tunnel of nodes behind a NAT', holders: ['openvpn'], tunnel: true },
  { port: metadataPort, proto: 'tcp', on: 'the metadata node', from: 'nodes', what: 'metadata of the shared file system (Redis, TLS)', holders: ['redis-server', 'redis-check-rdb'], storage: 'metadata' },
  { port: objectsPort.seaweedfs, proto: 'tcp', on: 'the object-store node', from: 'nodes', what: 'objects of the shared file system (S3, TLS)', holders: ['systemd', 'systemd-socket-', 'weed'], storage: 'seaweedfs' },
  ...seaweedfs,
  { port: objectsPort.minio, proto: 'tcp', on: 'the object-store node', from: 'nodes', what: 'objects of the shared file system (S3, TLS), with MinIO', holders: ['minio'], storage: 'minio' },
]; // prettier-ignore

/** Ports of the control host; each is a setting of the server (`server.yaml`), these are the defaults. */
export const serverPorts = {
  apiPort: { port: 7443, from: 'itself', what: 'API of the control server: the CLI, on the control host' },
  agentPort: { port: 7444, from: 'nodes', what: 'the agents’ stream (gRPC, client certificate required)' },
  artifactPort: { port: 7445, from: 'nodes', what: 'artifacts for nodes (HTTPS, client certificate required)' },
  enrollPort: { port: 7446, from: 'nodes', what: 'enrollment of new nodes (gRPC, one-time token)' },
} as const;

/** The ports that a node of this role listens on; `tunnel`: in a cluster that has one; `storage`: the parts of the shared file system that it runs. */
export const portsOf = (role: 'control-plane' | 'worker', tunnel = false, storage: readonly StoragePart[] = []): ClusterPort[] =>
  clusterPorts.filter((p) =>
    p.storage === undefined ? (p.on === 'every node' || role === 'control-plane') && (tunnel || p.tunnel === undefined) : storage.includes(p.storage),
  );
