import { type ClusterSpec, type Facts, proxyPlaces, type Role, type StoragePart, storagePartsOn } from '@strata/model';
import {
  precheckClock, precheckCloudInit, precheckDns, precheckIdentity, precheckInit, precheckKernel, precheckKubernetes, precheckNetwork, precheckOs, precheckOutside, precheckPackages, precheckPeers, precheckPorts,
  precheckResources, precheckRuntime, precheckSecurity, storageTasks, type TaskOf,
} from '@strata/tasks'; // prettier-ignore
import { PlanRefused } from './refused';

/** A look at a machine, without any change, by its task's name. */
export interface Precheck {
  task: string;
  input: object;
}
const look = <I extends object>(task: TaskOf<I>, input: I): Precheck => ({ task: task.name, input });

/**
 * All prechecks of one node. The server runs them over SSH at first contact, on a host that only reads; a node that comes by a join
 * command runs them itself, as its first steps. `now`: the server's clock (ms). @throws PlanRefused for an unknown node.
 */
export function precheckSteps(spec: ClusterSpec, node: string, world: { facts: ReadonlyMap<string, Facts>; now: number }): Precheck[] {
  const { native, network, nodes } = spec.spec;
  const n = nodes.find((m) => m.name === node);
  if (!n) throw new PlanRefused('unknown-node', `the spec has no node ${node}`, `name one of: ${nodes.map((m) => m.name).join(', ')}`);
  const others = nodes.filter((m) => m.name !== node);
  const known = others.flatMap((m) => {
    const f = world.facts.get(m.name);
    return f ? [{ name: m.name, hostname: f.hostname, machineId: f.machineId }] : [];
  });
  const peers = others.flatMap((m) =>
    m.ssh !== undefined && !m.nat && m.address !== undefined && /^\d/.test(m.address) ? [{ name: m.name, address: m.address, port: m.ssh.port }] : [],
  );
  return [
    look(precheckOs, {}),
    look(precheckInit, {}),
    look(precheckKernel, { backend: network.backend }),
    look(precheckResources, { role: n.role, dataPaths: dataPaths(spec, n.role) }),
    look(precheckCloudInit, {}),
    look(precheckPorts, { role: n.role, tunnel: nodes.some((m) => m.nat), ...storageParts(spec, n.name) }),
    look(precheckRuntime, { foreign: native.containerd.foreign }),
    look(precheckKubernetes, {}),
    look(precheckIdentity, { name: n.name, others: known }),
    look(precheckNetwork, {
      podCidr: network.podCidr,
      serviceCidr: network.serviceCidr,
      ...(nodes.some((m) => m.nat) ? { tunnelCidr: network.tunnelCidr, nat: n.nat } : {}),
      ...(n.address === undefined ? {} : { address: n.address }),
    }),
    look(precheckClock, { serverTimeMs: world.now, zones: others.flatMap((m) => world.facts.get(m.name)?.time.zone ?? []) }),
    look(precheckDns, { servers: native.dns.servers }),
    look(precheckPackages, {}),
    ...(network.proxy ? [look(precheckOutside, { proxies: proxyPlaces(network) })] : []),
    look(precheckSecurity, { firewall: native.firewall }),
    look(precheckPeers, { peers }),
    ...(storagePartsOn(spec.spec, n.name).includes('metadata') ? [look(storageTasks.precheckStorage, { cluster: spec.metadata.name })] : []),
  ];
}

const storageParts = ({ spec }: ClusterSpec, node: string): { storage?: StoragePart[] } => {
  const storage = storagePartsOn(spec, node);
  return storage.length > 0 ? { storage } : {};
};

/** Where data will be: images and containers, pods, the artifacts on their way, etcd, and what the operator named. */
function dataPaths({ spec }: ClusterSpec, role: Role): string[] {
  const runtime = spec.distribution.kind === 'k3s' ? ['/var/lib/rancher'] : ['/var/lib/containerd', ...(role === 'control-plane' ? ['/var/lib/etcd'] : [])];
  const { dataDir } = spec.native;
  const placed = [...runtime, '/var/lib/kubelet'].map((path) => (dataDir === undefined ? path : `${dataDir}/${path.split('/').at(-1) ?? ''}`));
  return [...placed, '/var/lib/strata', spec.storage.path];
}
