import type { ClusterSpec, Facts } from '@strata/model';
import {
  precheckClock, precheckDns, precheckIdentity, precheckInit, precheckKernel, precheckNetwork, precheckOs, precheckPackages, precheckPeers, precheckPorts,
  precheckResources, precheckRuntime, precheckSecurity, type TaskOf,
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
    m.ssh !== undefined && m.address !== undefined && /^\d/.test(m.address) ? [{ name: m.name, address: m.address, port: m.ssh.port }] : [],
  );
  return [
    look(precheckOs, {}),
    look(precheckInit, {}),
    look(precheckKernel, { backend: network.backend }),
    look(precheckResources, { role: n.role }),
    look(precheckPorts, { role: n.role }),
    look(precheckRuntime, { foreign: native.containerd.foreign }),
    look(precheckIdentity, { name: n.name, others: known }),
    look(precheckNetwork, { podCidr: network.podCidr, serviceCidr: network.serviceCidr, ...(n.address === undefined ? {} : { address: n.address }) }),
    look(precheckClock, { serverTimeMs: world.now }),
    look(precheckDns, {}),
    look(precheckPackages, {}),
    look(precheckSecurity, { firewall: native.firewall }),
    look(precheckPeers, { peers }),
  ];
}
