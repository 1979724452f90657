import type { Cluster, KubeObject } from '../ports/cluster';
import type { Clock } from '../ports/clock';
import { conditionOf, fieldOf } from './gates';

/** So long a pod may be unready before it counts as broken. */
const patienceMs = 10_000;
const revisionOf = (pod: KubeObject): string | undefined => pod.metadata.labels?.['controller-revision-hash'];
const isReady = (pod: KubeObject): boolean => conditionOf(pod, 'Ready')?.status === 'True';

/**
 * A StatefulSet waits for good for a broken pod of a revision that nobody wants any more, instead of replacing it. Deletes the last of such pods, unless one
 * of the wanted revision is on its way: the data are in its claim, and stay. Gives its name, or null.
 */
export async function replaceStuck(cluster: Cluster, clock: Pick<Clock, 'now'>, of: { name: string; namespace: string }): Promise<string | null> {
  const found = await cluster.get({ apiVersion: 'apps/v1', kind: 'StatefulSet', ...of });
  const wanted = found && fieldOf(found, 'status.updateRevision');
  if (!found || typeof wanted !== 'string' || !hasSeen(found)) return null;
  const pods = (await cluster.list({ apiVersion: 'v1', kind: 'Pod', namespace: of.namespace })).filter((p) => isOf(p, of.name));
  const unready = pods.filter((p) => !isReady(p));
  if (unready.some((p) => revisionOf(p) === wanted || fieldOf(p, 'metadata.deletionTimestamp') !== undefined)) return null;
  const stuck = unready.filter((p) => clock.now() - since(p) >= patienceMs).sort((a, b) => ordinal(a) - ordinal(b)).at(-1); // prettier-ignore
  if (!stuck) return null;
  await cluster.delete({ apiVersion: 'v1', kind: 'Pod', name: stuck.metadata.name, namespace: of.namespace });
  return stuck.metadata.name;
}
/** Whether its controller has seen what it is to be: until then its status is of before. */
export const hasSeen = (o: KubeObject): boolean => Number(fieldOf(o, 'status.observedGeneration') ?? 0) >= Number(fieldOf(o, 'metadata.generation') ?? 0);
const isOf = (pod: KubeObject, name: string): boolean => {
  const owners = fieldOf(pod, 'metadata.ownerReferences');
  return Array.isArray(owners) && (owners as { kind?: string; name?: string }[]).some((o) => o.kind === 'StatefulSet' && o.name === name);
};
const since = (pod: KubeObject): number =>
  new Date(conditionOf(pod, 'Ready')?.lastTransitionTime ?? (fieldOf(pod, 'metadata.creationTimestamp') as string | undefined) ?? 0).getTime();
const ordinal = (pod: KubeObject): number => Number(/-(\d+)$/.exec(pod.metadata.name)?.[1] ?? 0); // prettier-ignore
