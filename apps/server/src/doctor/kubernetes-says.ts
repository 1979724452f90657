import type { Check } from '@strata/model';
import { Checked, type Cluster, type PodSummary } from '@strata/tasks';
import { within } from '../serve/within';
import { wordsOf } from '../serve/words-of';

const deadlineMs = 12_000;
const most = 5;

/** What the cluster's API tells of these nodes: whether it answers at all, their condition, and the pods on them that do not come up. */
export async function kubernetesSays(cluster: Cluster, names: readonly string[]): Promise<Check[]> {
  const api = new Checked('cluster.api', 'cluster', 'the API of the cluster answers this host');
  try {
    const [nodes, pods] = await within(Promise.all([cluster.nodes(), cluster.pods()]), deadlineMs);
    const conditions = names.map((name): Check => {
      const check = new Checked('cluster.node', name, 'Kubernetes calls it Ready');
      const node = nodes.find((n) => n.name === name);
      if (!node) return check.broken({ cause: 'Kubernetes knows no such node', remedy: 'strata apply joins it again' });
      if (!node.ready) return check.broken({ cause: `it is not Ready: ${node.message || 'no reason was given'}`, remedy: 'mend what stands before this; Kubernetes follows within 40 s' });
      return node.unschedulable ? check.warning({ cause: 'it is cordoned: no new pod comes there', remedy: `strata kubectl -- uncordon ${name}` }) : check.ok();
    });
    return [api.ok(), ...conditions, ...names.map((name) => podsOf(name, pods))];
  } catch (error) {
    return [api.broken({ cause: wordsOf(error), remedy: 'mend what stands before this: the control plane, or the way to it' })];
  }
} // prettier-ignore

function podsOf(node: string, pods: readonly PodSummary[]): Check {
  const check = new Checked('cluster.pods', node, 'its pods run');
  const bad = pods.filter((p) => p.node === node && !p.ready && p.phase !== 'Succeeded');
  if (bad.length === 0) return check.ok();
  const shown = bad.slice(0, most).map((p) => `${p.namespace}/${p.name} (${p.reason || p.phase}, ${p.restarts} restarts)`);
  const more = bad.length > most ? ` and ${bad.length - most} more` : '';
  return check.warning({ cause: `${bad.length === 1 ? '1 pod is' : `${bad.length} pods are`} not ready: ${shown.join(', ')}${more}`, remedy: 'strata kubectl -- describe pod NAME; its log: strata kubectl -- logs NAME' });
} // prettier-ignore
