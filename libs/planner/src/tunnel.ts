import { tunnelAddress, tunnelHub, tunnelName, tunnelPort } from '@strata/model';
import { nativeTasks } from '@strata/tasks';
import type { PlanContext, PlannedNode } from './context';
import { PlanRefused } from './refused';
import type { Line, Steps } from './steps';

/** Largest packet of the tunnel: that of the control plane's own network, so that pods have one size everywhere. */
function mtuOf(c: PlanContext): number {
  const facts = c.facts.get(c.controlPlane.name);
  const link = facts?.addresses.find((a) => a.address === c.controlPlane.address)?.interface ?? '';
  return Math.max(1280, Math.min(9000, facts?.mtu[link] ?? 1500));
}

/** This node's end of the tunnel, where the cluster has one: the control plane listens, all others dial it, those behind a NAT and those that shall reach them. */
export function tunnelEnd(line: Line, n: PlannedNode, c: PlanContext): void {
  if (!c.tunnel) return;
  const { tunnelCidr: cidr } = c.spec.network;
  const name = tunnelName(c.cluster, n.name);
  const common = { name, prefix: Number(cidr.split('/')[1]), mtu: mtuOf(c), port: tunnelPort };
  if (n.role === 'control-plane') {
    const peers = c.spec.nodes.filter((m) => m.role !== 'control-plane').map((m) => ({ name: tunnelName(c.cluster, m.name), address: tunnelAddress(cidr, m.name), ...own(c, m.name) }));
    line.step(nativeTasks.tunnelConfigure, { ...common, identity: { $secret: `mint:tunnel-hub:${n.name}` }, address: tunnelHub(cidr), end: { kind: 'hub', listen: n.address, peers } });
    return;
  }
  const { name: hub, address } = c.controlPlane;
  line.step(
    nativeTasks.tunnelConfigure,
    {
      ...common, identity: { $secret: `mint:tunnel-node:${n.name}` }, address: tunnelAddress(cidr, n.name),
      end: { kind: 'node', hub: address, hubName: tunnelName(c.cluster, hub), answerThrough: n.spec.nat },
    },
    { needs: [`${hub}/${nativeTasks.tunnelConfigure.name}`] },
  );
} // prettier-ignore

/** The address besides that of the tunnel that a node speaks from: its own, which those behind a NAT cannot reach otherwise. */
function own(c: PlanContext, name: string): { own?: string } {
  const found = c.nodes.find((n) => n.name === name);
  return found && !found.spec.nat ? { own: found.address } : {};
}

/** The control plane learns of nodes that come later; those that are there already have their ends. @throws PlanRefused where the tunnel would begin now. */
export function tunnelForAdded(on: Steps, c: PlanContext, added: readonly string[]): void {
  if (!c.tunnel) return;
  const first = c.spec.nodes.filter((n) => n.nat && added.includes(n.name)).map((n) => n.name);
  const others = c.spec.nodes.filter((n) => !added.includes(n.name));
  if (!others.some((n) => n.nat) && others.some((n) => n.role === 'worker'))
    throw new PlanRefused(
      'nat.first',
      `${first.join(', ')} is the first node behind a NAT: the others have no tunnel to it yet`,
      'put it into the spec with `nat: true` and run `strata apply`, which opens the tunnel on all',
    );
  hubWith(on, c, () => true);
}
/** The control plane lets nodes that left in no more, also those whose certificate could not be taken from them. */
export function tunnelWithout(on: Steps, c: PlanContext, gone: readonly string[]): void {
  if (c.tunnel) hubWith(on, c, (name) => !gone.includes(name));
}
function hubWith(on: Steps, c: PlanContext, keeps: (name: string) => boolean): void {
  const hub = c.nodes.find((n) => n.role === 'control-plane');
  if (hub) tunnelEnd(on.line(hub.name), hub, { ...c, spec: { ...c.spec, nodes: c.spec.nodes.filter((n) => keeps(n.name)) } });
}
