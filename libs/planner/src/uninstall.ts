import { agentRemove, kubeconfigForget, storageTasks } from '@strata/tasks';
import type { Line, Steps } from './steps';
import { storageData } from './storage-data';
import { chained, type Skipped, type Taking, undoOf } from './undo';

/** Every machine becomes what it was, each by itself, and its agent goes; then the server forgets the cluster's credentials. */
export function uninstall(on: Steps, t: Taking): Skipped {
  const { c, request } = t;
  const { force } = request.intent;
  const skipped: Skipped = [];
  const ends: Line[] = [];
  const data = storageData(c, request.intent);
  skipped.push(...data.stays);
  const undone = new Map<string, string>();
  for (const n of c.nodes) {
    if (n.nodeId === null) {
      skipped.push({ what: n.name, because: 'it has no agent: nothing of ours is on it' });
      continue;
    }
    on.all.push(...chained(undoOf(t, n.name), []));
    undone.set(n.name, on.all.at(-1)?.key ?? '');
  }
  on.phase('prepare');
  for (const [name, last] of undone) {
    const line = on.line(name, last);
    const erase = data.erase(name);
    if (erase) line.step(storageTasks.storageErase, erase, { needs: [...undone.values()] }); // nobody has the tree mounted any more
    ends.push(line.step(agentRemove, { node: name, force }));
  }
  for (const name of c.absent) {
    skipped.push({ what: `the changes on ${name}`, because: 'it cannot be reached: they stay until it returns and is uninstalled' });
    if (force) ends.push(on.line(name).step(agentRemove, { node: name, force }));
  }
  on.phase('install');
  on.line(null, ...ends).step(kubeconfigForget, {});
  return skipped;
}
