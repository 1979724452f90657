import { type ClusterPort, type ClusterSpec, type Facts, type PairPort, type Role, tunnelPort } from '@strata/model';
import { addressOf } from './addresses';
import { isNeeded, isOn, portsBetween } from './cluster-ports';
import { PlanRefused } from './refused';

export interface PairPlanNode {
  name: string;
  role: Role;
  address: string | null; // null: not clear; the ordinary prechecks say why
  /** What the interface of that address lets out, in bytes. */
  link: number;
  /** Where the data that must be safe will lie. */
  dataPath: string;
  system: string;
}
export interface PlannedPair {
  from: PairPlanNode;
  to: PairPlanNode;
  ports: (PairPort & { needed: boolean })[];
}
export interface PairPlan {
  ports: ClusterPort[];
  nodes: PairPlanNode[];
  pairs: PlannedPair[];
}

/**
 * What to try between the machines that were met: each ordered pair, the ports of the spec. `full`: also those that the roles do not need,
 * because roles may still change.
 */
export function pairPlan(spec: ClusterSpec, world: { facts: ReadonlyMap<string, Facts>; full: boolean }): PairPlan {
  const ports = portsBetween(spec.spec);
  const nodes = spec.spec.nodes.flatMap((n): PairPlanNode[] => {
    const f = world.facts.get(n.name);
    if (!f) return [];
    const address = orNull(() => addressOf(n, f));
    const link = f.mtu[f.addresses.find((a) => a.address === address)?.interface ?? ''] ?? 1500;
    return [{ name: n.name, role: n.role, address, link, dataPath: n.role === 'control-plane' ? '/var/lib/etcd' : '/var/lib/kubelet', system: systemOf(f) }];
  });
  const known = nodes.filter((n) => n.address !== null);
  const behind = new Set(spec.spec.nodes.filter((n) => n.nat).map((n) => n.name));
  const pairs = known.flatMap((from) =>
    known
      .filter((to) => to !== from && to.address !== from.address && !behind.has(to.name)) // nobody reaches what is behind a NAT, but through the tunnel
      .map((to) => ({
        from,
        to,
        ports: ports
          .filter((p) => isOn(p, spec.spec, to.name))
          .map((p) => ({ proto: p.proto, port: p.port, what: p.what, needed: isNeeded(p, from.role, to.role) }))
          .filter((p) => (world.full || p.needed) && (!behind.has(from.name) || p.port === 6443 || p.port === tunnelPort)),
      })),
  );
  return { ports, nodes, pairs };
}

function orNull(address: () => string): string | null {
  try {
    return address();
  } catch (error) {
    if (error instanceof PlanRefused) return null;
    throw error;
  }
}
const systemOf = (f: Facts): string => {
  const memory = Math.min(f.memory.total, f.memory.limit ?? Infinity) / 2 ** 30;
  return [f.os.name, `kernel ${f.kernel}`, `${f.cpus} CPU${f.cpus === 1 ? '' : 's'}`, `${memory.toFixed(1)} GiB`].filter((t) => t !== '').join(' · ');
};
