import type { ClusterSpec, Facts } from '@strata/model';
import { PlanRefused } from './refused';

/** A look at a machine, without any change. */
export interface Precheck {
  task: string;
  input: object;
}

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
  const peers = others.flatMap((m) => (m.ssh !== undefined && m.address !== undefined && /^\d/.test(m.address) ? [{ name: m.name, address: m.address }] : []));
  return [
    { task: 'precheck.os', input: {} },
    { task: 'precheck.init', input: {} },
    { task: 'precheck.kernel', input: { backend: network.backend } },
    { task: 'precheck.resources', input: { role: n.role } },
    { task: 'precheck.ports', input: { role: n.role } },
    { task: 'precheck.runtime', input: { foreign: native.containerd.foreign } },
    { task: 'precheck.identity', input: { name: n.name, others: known } },
    {
      task: 'precheck.network',
      input: { podCidr: network.podCidr, serviceCidr: network.serviceCidr, ...(n.address === undefined ? {} : { address: n.address }) },
    },
    { task: 'precheck.clock', input: { serverTimeMs: world.now } },
    { task: 'precheck.dns', input: {} },
    { task: 'precheck.packages', input: {} },
    { task: 'precheck.security', input: { firewall: native.firewall } },
    { task: 'precheck.peers', input: { peers } },
  ];
}
