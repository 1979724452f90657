import { agentRemove, kubeconfigForget } from '@strata/tasks';
import type { Line, Steps } from './steps';
import { chained, type Skipped, type Taking, undoOf } from './undo';

/** Every machine becomes what it was, each by itself, and its agent goes; then the server forgets the cluster's credentials. */
export function uninstall(on: Steps, t: Taking): Skipped {
  const { c, request } = t;
  const { force } = request.intent;
  const skipped: Skipped = [];
  const ends: Line[] = [];
  for (const n of c.nodes) {
    if (n.nodeId === null) {
      skipped.push({ what: n.name, because: 'it has no agent: nothing of ours is on it' });
      continue;
    }
    on.all.push(...chained(undoOf(t, n.name), []));
    on.phase('prepare');
    ends.push(on.line(n.name, on.all.at(-1)?.key ?? '').step(agentRemove, { node: n.name, force }));
  }
  for (const name of c.absent) {
    skipped.push({ what: `the changes on ${name}`, because: 'it cannot be reached: they stay until it returns and is uninstalled' });
    if (force) ends.push(on.line(name).step(agentRemove, { node: name, force }));
  }
  on.phase('install');
  on.line(null, ...ends).step(kubeconfigForget, {});
  return skipped;
}
