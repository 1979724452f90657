import { clusterPorts, type ClusterPort, type ClusterSpec, type Role, storagePartsOn } from '@strata/model';

/** The ports that one machine of this cluster may need on another: those of the table that are for others, and etcd's, for the day of a second control plane. */
export const portsBetween = (spec: Pick<ClusterSpec['spec'], 'network' | 'nodes' | 'storage'>): ClusterPort[] => {
  const { network, nodes } = spec;
  const tunnel = nodes.some((n) => n.nat);
  const parts = new Set(nodes.flatMap((n) => storagePartsOn(spec, n.name)));
  return clusterPorts.filter(
    (p) =>
      (p.storage === undefined || parts.has(p.storage)) &&
      (p.from !== 'itself' || isEtcd(p)) &&
      (p.backend === undefined || p.backend === network.backend) &&
      (tunnel || p.tunnel === undefined),
  );
};

const isEtcd = (p: ClusterPort): boolean => p.holders.includes('etcd');

/** Whether traffic from a node of one role to this port of another node is needed, if it can be there at all. */
export const isNeeded = (p: ClusterPort, from: Role, to: Role): boolean =>
  (p.storage !== undefined || p.on === 'every node' || to === 'control-plane') && (!isEtcd(p) || from === 'control-plane');

/** Whether a port can be there on a node: those of the shared file system only where its part runs. */
export const isOn = (p: ClusterPort, spec: Pick<ClusterSpec['spec'], 'nodes' | 'storage'>, node: string): boolean =>
  p.storage === undefined || storagePartsOn(spec, node).includes(p.storage);

/** Whether firewall.open opens it. */
export const isOpened = (p: ClusterPort): boolean => p.from !== 'itself';
