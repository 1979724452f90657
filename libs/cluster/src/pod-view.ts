import type { V1ContainerStatus, V1Pod } from '@kubernetes/client-node';
import type { PodUsage, PodView } from '@strata/model';
import { podSummary } from './summaries';

/** Namespaces of what the cluster itself stands on. */
const ofTheCluster = new Set(['kube-system', 'kube-flannel', 'kube-public', 'kube-node-lease']);
const longest = 300;

/** The workload that a pod belongs to, by kind and name: its owner, or the owner of the ReplicaSet that its template's hash names. */
export function workloadOf(pod: V1Pod): { kind: string; name: string } | null {
  const owner = pod.metadata?.ownerReferences?.find((o) => o.controller === true);
  if (!owner) return null;
  const hash = pod.metadata?.labels?.['pod-template-hash'];
  return owner.kind === 'ReplicaSet' && hash !== undefined && owner.name.endsWith(`-${hash}`)
    ? { kind: 'Deployment', name: owner.name.slice(0, -hash.length - 1) }
    : { kind: owner.kind, name: owner.name };
}

/** `release`: Helm's release that its workload is of, where that is known. */
export function podView(pod: V1Pod, { release, usage }: { release: string | null; usage: PodUsage | null }): PodView {
  const { name, namespace, node, phase, restarts, reason } = podSummary(pod);
  const containers = pod.status?.containerStatuses ?? [];
  const stuck = phase === 'Pending' || phase === 'Running' || phase === 'Failed';
  return {
    name, namespace, node, layer: ofTheCluster.has(namespace) ? 'orchestration' : 'containerized',
    release: pod.metadata?.labels?.['app.kubernetes.io/instance'] ?? release,
    state: phase !== 'Terminating' && /^[A-Za-z:]+$/.test(reason) ? reason : phase === 'Succeeded' ? 'Completed' : phase,
    ready: { containers: containers.filter((c) => c.ready).length, of: pod.spec?.containers.length ?? 0 },
    restarts, startedAt: timeOf(pod.status?.startTime), trouble: stuck ? troubleIn(pod) : null, usage,
  };
} // prettier-ignore

/** A list has dates, but what a watch brings are the texts of the API, whatever their type says. */
const timeOf = (at: Date | string | undefined): number | null => (at === undefined ? null : new Date(at).getTime());

function troubleIn(pod: V1Pod): string | null {
  const unplaced = pod.status?.conditions?.find((c) => c.type === 'PodScheduled' && c.status === 'False');
  if (unplaced) return cut(`no node takes it: ${unplaced.message ?? ''}`);
  for (const s of [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])]) {
    const words = containerTrouble(s);
    if (words !== null) return cut(`${s.name}: ${words}`);
  }
  return null;
}
function containerTrouble({ state, lastState, ready }: V1ContainerStatus): string | null {
  const waits = state?.waiting;
  const ended = state?.terminated ?? (waits?.reason === 'CrashLoopBackOff' ? lastState?.terminated : undefined);
  if (ended && ended.exitCode !== 0) return `ended with ${ended.exitCode}${ended.reason === undefined || ended.reason === 'Error' ? '' : ` (${ended.reason})`}`;
  if (waits?.reason !== undefined && !['ContainerCreating', 'PodInitializing', 'CrashLoopBackOff'].includes(waits.reason))
    return waits.message === undefined ? waits.reason : `${waits.reason}: ${waits.message}`;
  return state?.running && !ready ? 'runs, but is not ready' : null;
} // prettier-ignore
const cut = (words: string): string => (words.length > longest ? `${words.slice(0, longest)}…` : words);
