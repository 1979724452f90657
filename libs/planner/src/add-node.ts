import type { PlanContext } from './context';
import { proxySettings } from './demands';
import type { Distribution } from './distribution';
import { machine, obtain, wanted } from './install';
import { PlanRefused } from './refused';
import type { Steps } from './steps';
import { storageForAdded } from './storage';
import { tunnelForAdded } from './tunnel';

/** The same list for the new nodes alone: the others get no step but to know of them. Gives warnings. @throws PlanRefused */
export function addNode(on: Steps, { c, d, names }: { c: PlanContext; d: Distribution; names: readonly string[] }): string[] {
  const unknown = names.filter((name) => !c.spec.nodes.some((n) => n.name === name));
  if (unknown.length > 0)
    throw new PlanRefused('unknown-node', `the spec has no node ${unknown.join(', ')}`, 'add it to spec.nodes, or name one that is there');
  const added = c.nodes.filter((n) => names.includes(n.name));
  if (added.some((n) => n.role === 'control-plane'))
    throw new PlanRefused('control-plane.second', 'a second control-plane node is not supported yet', 'add it with the role worker');

  on.phase('download');
  for (const a of wanted(c, d)) obtain(on, a, c);
  on.phase('install');
  d.known(on, c);
  tunnelForAdded(on, c, names);
  storageForAdded(on, c, names);
  for (const n of added) d.node(on, c, machine(on, n, { c, d }));

  const others = c.nodes.filter((n) => !names.includes(n.name));
  const changes = JSON.stringify(proxySettings(c.nodes)) !== JSON.stringify(proxySettings(others));
  return changes ? [`${names.join(', ')} needs other settings of kube-proxy than the cluster has: run \`strata apply\` when it is Ready`] : [];
}
