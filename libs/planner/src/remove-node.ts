import { agentRemove, kubernetesNodeDelete } from '@strata/tasks';
import { PlanRefused } from './refused';
import type { Steps } from './steps';
import { knownPassword } from './storage-data';
import { mayLeave, storageWithout } from './storage';
import { tunnelWithout } from './tunnel';
import { chained, type Skipped, type Taking, undoOf } from './undo';

/** Pods move away, the node leaves the cluster, the machine becomes what it was, the agent goes last. @throws PlanRefused */
export function removeNode(on: Steps, t: Taking): Skipped {
  const { c, request } = t;
  const { nodes: names, force } = request.intent;
  const skipped: Skipped = [];
  const after: string[] = [];
  for (const name of names) {
    const spec = c.spec.nodes.find((n) => n.name === name);
    if (!spec) throw new PlanRefused('unknown-node', `the spec has no node ${name}`, `name one of: ${c.spec.nodes.map((n) => n.name).join(', ')}`);
    if (spec.role === 'control-plane')
      throw new PlanRefused(
        'control-plane.last',
        `${name} is the only control plane: without it there is no cluster`,
        'take the whole cluster back with `strata uninstall`',
      );
    mayLeave(c, name);
    const away = c.absent.includes(name);
    if (away && !force)
      throw new PlanRefused(
        'node.unreachable',
        `${name} cannot be reached, so nothing on it could be taken back`,
        `bring it up, or remove it with --force: the machine then stays as it is`,
      );

    on.phase('install');
    const line = on.line(name).step(kubernetesNodeDelete, { node: name, force });
    if (away) skipped.push({ what: `the changes on ${name}`, because: 'it cannot be reached and --force was given: they stay' });
    else if ((c.nodes.find((n) => n.name === name)?.nodeId ?? null) === null)
      skipped.push({ what: `the changes on ${name}`, because: 'it has no agent: nothing of ours is on it' });
    else on.all.push(...chained(undoOf(t, name), line.last));
    on.phase('prepare');
    on.line(name, on.all.at(-1)?.key ?? '').step(agentRemove, { node: name, force });
    after.push(on.all.at(-1)?.key ?? '');
  }
  tunnelWithout(on, c, names);
  storageWithout(on, c, { gone: names, after });
  skipped.push(...knownPassword(c, names));
  return skipped;
}
