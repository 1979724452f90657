import type { Cluster, KubeObject, ObjectRef } from '../ports/cluster';
import type { ReleaseRef, Releases } from '../ports/releases';
import { fieldOf } from './gates';

/** Noted at a workload that `strata app stop` stopped: how it was, and since when. In the same write as the change. */
export const stoppedAnnotation = 'strata.local/stopped';
/** A label that no node has: a DaemonSet that asks for it has no pods. */
const nowhere = 'strata.local/nowhere';
export interface Stopped {
  at: number; // ms since 1970
  replicas?: number; // of a Deployment or StatefulSet
  suspend?: boolean; // of a CronJob
}
const kinds = new Set(['Deployment', 'StatefulSet', 'DaemonSet', 'CronJob']);
export const isWorkload = (kind: string): boolean => kinds.has(kind);

/** The note of a workload that was stopped, or null. */
export function stoppedNote(object: Pick<KubeObject, 'metadata'>): Stopped | null {
  const text = object.metadata.annotations?.[stoppedAnnotation];
  if (text === undefined) return null;
  try {
    const { at, replicas, suspend } = JSON.parse(text) as Partial<Stopped>;
    return { at: Number(at ?? 0), ...(typeof replicas === 'number' ? { replicas } : {}), ...(typeof suspend === 'boolean' ? { suspend } : {}) };
  } catch {
    return { at: 0 };
  }
}
/** The workloads of a release that are there now. */
export const workloadsOf = async (cluster: Cluster, releases: Releases, of: ReleaseRef): Promise<KubeObject[]> =>
  workloadsAmong(await releases.objects(of), cluster, of);
/** The same, for who has asked already what the release consists of. */
export async function workloadsAmong(refs: readonly ObjectRef[], cluster: Cluster, of: ReleaseRef): Promise<KubeObject[]> {
  return (await lookAmong(refs.filter((r) => isWorkload(r.kind)), cluster, of)).workloads; // prettier-ignore
}
/** What of these is there now: the workloads, and what somebody took away, as KIND NAME. A Job may go by itself when it is done. */
export async function lookAmong(refs: readonly ObjectRef[], cluster: Cluster, of: ReleaseRef): Promise<{ workloads: KubeObject[]; lost: string[] }> {
  const lasting = refs.filter((r) => r.kind !== 'Job');
  const found = await Promise.all(lasting.map(async (ref) => ({ ref, object: await cluster.get(placed(ref, of)) })));
  return {
    workloads: found.flatMap(({ ref: { apiVersion, kind }, object }) => (object && isWorkload(kind) ? [{ ...object, apiVersion, kind }] : [])),
    lost: found.flatMap(({ ref, object }) => (object === null ? [`${ref.kind} ${ref.name}`] : [])),
  };
}
/** A manifest may leave the namespace out; Helm then puts it into the release's. */
export const placed = (ref: ObjectRef, { namespace }: ReleaseRef): ObjectRef => ({ ...ref, namespace: ref.namespace ?? namespace });

/** What a patch of an object has to say of it. */
export const headOf = (o: KubeObject): Pick<KubeObject, 'apiVersion' | 'kind'> & { metadata: KubeObject['metadata'] } => {
  const { name, namespace } = o.metadata;
  return { apiVersion: o.apiVersion, kind: o.kind, metadata: { name, ...(namespace === undefined ? {} : { namespace }) } };
};
const annotated = (o: KubeObject, note: string | null, spec: object): KubeObject => {
  const { metadata, ...rest } = headOf(o);
  return { ...rest, metadata: { ...metadata, annotations: { [stoppedAnnotation]: note } as Record<string, string> }, spec };
};
/** Stops a workload, with the note of how it was, in one write. */
export async function halt(cluster: Cluster, o: KubeObject, at: number): Promise<void> {
  if (o.kind === 'CronJob') {
    const note: Stopped = { at, suspend: fieldOf(o, 'spec.suspend') === true };
    return cluster.patch(annotated(o, JSON.stringify(note), { suspend: true }));
  }
  if (o.kind === 'DaemonSet') return cluster.patch(annotated(o, JSON.stringify({ at }), { template: { spec: { nodeSelector: { [nowhere]: 'stopped' } } } }));
  const note: Stopped = { at, replicas: Number(fieldOf(o, 'spec.replicas') ?? 1) };
  await cluster.patch(annotated(o, JSON.stringify(note), { replicas: 0 }));
}
/** Gives a stopped workload back what it had, and takes the note away, in one write. What somebody changed since stays. */
export async function wake(cluster: Cluster, o: KubeObject): Promise<void> {
  const note = stoppedNote(o);
  if (note === null) return;
  if (o.kind === 'CronJob') return cluster.patch(annotated(o, null, { suspend: note.suspend ?? false }));
  if (o.kind === 'DaemonSet') return cluster.patch(annotated(o, null, { template: { spec: { nodeSelector: { [nowhere]: null } } } }));
  const now = Number(fieldOf(o, 'spec.replicas') ?? 1);
  await cluster.patch(annotated(o, null, { replicas: now > 0 ? now : (note.replicas ?? 1) }));
}
/** Whether a workload is as `halt` left it. */
export function isHalted(o: KubeObject): boolean {
  if (stoppedNote(o) === null) return false;
  if (o.kind === 'CronJob') return fieldOf(o, 'spec.suspend') === true;
  if (o.kind === 'DaemonSet') return Object.hasOwn(fieldOf(o, 'spec.template.spec.nodeSelector') ?? {}, nowhere);
  return fieldOf(o, 'spec.replicas') === 0;
}
/** Whether every workload of a release was stopped by us: then it is stopped, and not broken. */
export const isStopped = (workloads: readonly KubeObject[]): boolean => workloads.length > 0 && workloads.every(isHalted);

/** The pods that are left of workloads that were stopped, in words, or null. */
export async function stillRuns(cluster: Cluster, workloads: readonly KubeObject[]): Promise<string | null> {
  for (const o of workloads) {
    const labels = Object.entries((fieldOf(o, 'spec.selector.matchLabels') ?? {}) as Record<string, string>).map(([k, v]) => `${k}=${v}`);
    if (o.kind === 'CronJob' || labels.length === 0) continue;
    const pods = (await cluster.pods({ namespace: o.metadata.namespace ?? 'default', labels: labels.join(',') })).filter((p) => !['Succeeded', 'Failed'].includes(p.phase));
    if (pods.length > 0) return `${o.kind} ${o.metadata.name}: ${pods.map((p) => p.name).join(', ')} still there`;
  }
  return null;
} // prettier-ignore
