import { must, QuickstartError, run } from './programs';

interface PodList {
  items: { metadata: { name: string }; spec: { nodeName?: string }; status: { phase?: string; containerStatuses?: { ready: boolean }[] } }[];
}
export interface Proof {
  nodes: { name: string; ready: boolean; version: string; address: string }[];
  /** Node -> the nodes from which the service answered there. */
  answers: Record<string, string[]>;
}
/** Of the workload, in bundles/demo. */
const copies = 3;
export type Kubectl = (args: readonly string[], timeoutMs?: number) => Promise<string>;

export function kubectlOf(strata: readonly [string, ...string[]], cluster: string): Kubectl {
  return async (args, timeoutMs = 60_000) => (await must('kubectl', [...strata, 'kubectl', '--cluster', cluster, '--', ...args], { timeoutMs })).stdout;
}

/**
 * Sees with its own eyes that the cluster works: all nodes Ready, the copies of the workload each on a node of its own,
 * and the service answering by its name from every node.
 * @throws QuickstartError naming the node and what was seen.
 */
export async function prove(kubectl: Kubectl, nodes: number): Promise<Proof> {
  const [nodeText, podText] = await Promise.all([kubectl(['get', 'nodes', '-o', 'json']), kubectl(['get', 'pods', '-l', 'app=web', '-o', 'json'])]);
  const list = JSON.parse(nodeText) as {
    items: {
      metadata: { name: string };
      status: { conditions: { type: string; status: string }[]; nodeInfo: { kubeletVersion: string }; addresses: { type: string; address: string }[] };
    }[];
  };
  const seen = list.items.map((n) => ({
    name: n.metadata.name,
    ready: n.status.conditions.some((c) => c.type === 'Ready' && c.status === 'True'),
    version: n.status.nodeInfo.kubeletVersion,
    address: n.status.addresses.find((a) => a.type === 'InternalIP')?.address ?? '',
  }));
  if (seen.filter((n) => n.ready).length < nodes)
    throw new QuickstartError(`only ${seen.filter((n) => n.ready).length} of ${nodes} nodes are Ready: ${JSON.stringify(seen)}`, 1);
  const pods = (JSON.parse(podText) as PodList).items.filter((p) => p.status.phase === 'Running');
  const on = new Set(pods.map((p) => p.spec.nodeName));
  const wanted = Math.min(nodes, copies);
  if (on.size < wanted) throw new QuickstartError(`the workload runs on ${on.size} of ${wanted} nodes: ${[...on].join(', ')}`, 1);
  const answers: Record<string, string[]> = {};
  const ask = async (pod: PodList['items'][number]): Promise<void> => {
    const from = new Set<string>();
    // kube-proxy picks a copy at random: 12 questions see all three with a chance of 98 %; one answer is what is required
    const text = await kubectl([
      'exec',
      pod.metadata.name,
      '--',
      'sh',
      '-c',
      'for i in 1 2 3 4 5 6 7 8 9 10 11 12; do wget -qO- http://web.default.svc.cluster.local/ || exit 1; done',
    ]);
    for (const line of text.split('\n')) if (line.trim()) from.add(line.trim().split(/\s+/)[0] ?? '');
    if (from.size === 0) throw new QuickstartError(`the service web did not answer on ${pod.spec.nodeName ?? '?'}`, 1);
    answers[pod.spec.nodeName ?? '?'] = [...from].sort();
  };
  await Promise.all(pods.map(ask));
  return { nodes: seen, answers };
}
export { run };
