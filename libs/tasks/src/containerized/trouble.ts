import type { Cluster, KubeObject, ObjectRef } from '../ports/cluster';
import { conditionOf, fieldOf } from './gates';

interface ContainerStatus {
  name: string;
  restartCount?: number;
  state?: { waiting?: { reason?: string; message?: string }; terminated?: Ended; running?: object };
  lastState?: { terminated?: Ended };
  ready?: boolean;
  image?: string;
}
interface Ended {
  exitCode?: number;
  reason?: string;
}
const lastLines = 5;
const longest = 400; // of what a program or the API says

/** Why the pods of a workload do not work, with pod, container and cause; null where nothing of it can be told. */
export async function troubleOf(cluster: Cluster, ref: ObjectRef): Promise<string | null> {
  const found = await cluster.get(ref);
  if (!found) return null;
  const pods = await podsOf(cluster, found, ref);
  for (const look of [imageOf, crashOf, unplacedOf]) {
    for (const pod of pods) {
      const words = await look(cluster, pod);
      if (words !== null) return `pod ${pod.metadata.name}${words}`;
    }
  }
  const unready = pods.find((p) => conditionOf(p, 'Ready')?.status === 'False' && fieldOf(p, 'status.phase') === 'Running');
  if (unready) return `pod ${unready.metadata.name}${(await probeOf(cluster, unready)) ?? ': it runs, but is not ready'}`;
  return notMade(cluster, found, ref);
}

async function podsOf(cluster: Cluster, object: KubeObject, { namespace }: ObjectRef): Promise<KubeObject[]> {
  const wanted = Object.entries((fieldOf(object, 'spec.selector.matchLabels') ?? {}) as Record<string, string>);
  if (wanted.length === 0) return [];
  const all = await cluster.list({ apiVersion: 'v1', kind: 'Pod', ...(namespace === undefined ? {} : { namespace }) });
  return all.filter((p) => fieldOf(p, 'metadata.deletionTimestamp') === undefined && wanted.every(([k, v]) => p.metadata.labels?.[k] === v));
}
const statuses = (pod: KubeObject): ContainerStatus[] =>
  ['status.initContainerStatuses', 'status.containerStatuses'].flatMap((at) => (fieldOf(pod, at) ?? []) as ContainerStatus[]);

async function imageOf(_: Cluster, pod: KubeObject): Promise<string | null> {
  const found = statuses(pod).find((s) => /^(ErrImage|ImagePull|InvalidImage|ErrImageNeverPull)/.test(s.state?.waiting?.reason ?? ''));
  if (!found) return Promise.resolve(null);
  const { reason = '', message = '' } = found.state?.waiting ?? {};
  return Promise.resolve(` (container ${found.name}): its image ${found.image ?? ''} cannot be had (${reason}${message === '' ? '' : `: ${cut(message)}`})`);
}
async function crashOf(cluster: Cluster, pod: KubeObject): Promise<string | null> {
  const found = statuses(pod).find((s) => /^(CrashLoopBackOff|CreateContainer|RunContainerError|StartError)/.test(s.state?.waiting?.reason ?? '') || endedBadly(s));
  if (!found) return null;
  const waits = found.state?.waiting;
  if (waits?.reason !== undefined && waits.reason !== 'CrashLoopBackOff') return ` (container ${found.name}): ${waits.reason}: ${cut(waits.message ?? '')}`;
  const ended = found.state?.terminated ?? found.lastState?.terminated;
  const of = { namespace: pod.metadata.namespace ?? 'default', pod: pod.metadata.name, container: found.name, lines: lastLines };
  const said = (await cluster.logs({ ...of, previous: found.state?.terminated === undefined }))?.trim() ?? '';
  const how = ended ? `ended with ${ended.exitCode ?? '?'}${ended.reason === undefined || ended.reason === 'Error' ? '' : ` (${ended.reason})`}` : 'ends again and again';
  return ` (container ${found.name}): it ${how}, ${found.restartCount ?? 0} restarts${said === '' ? '' : `; its last lines: ${cut(said.replaceAll('\n', ' | '))}`}`;
} // prettier-ignore
const endedBadly = (s: ContainerStatus): boolean => (s.state?.terminated?.exitCode ?? 0) !== 0;
async function unplacedOf(_: Cluster, pod: KubeObject): Promise<string | null> {
  const placed = conditionOf(pod, 'PodScheduled');
  return Promise.resolve(placed?.status === 'False' ? `: no node takes it: ${cut(placed.message ?? placed.reason ?? '')}` : null);
}
/** The newest word of kubelet about a probe that failed. */
async function probeOf(cluster: Cluster, pod: KubeObject): Promise<string | null> {
  const said = (await eventsOf(cluster, pod)).find((e) => e['reason'] === 'Unhealthy');
  const container = /\{(.+)\}/.exec(text(fieldOf(said, 'involvedObject.fieldPath')))?.[1];
  return said ? `${container === undefined ? '' : ` (container ${container})`}: ${cut(text(said['message']))}` : null;
}
/** New pods are not even made, whatever still runs of the old ones: a quota, or an admission that refuses. */
async function notMade(cluster: Cluster, object: KubeObject, ref: ObjectRef): Promise<string | null> {
  const failure = conditionOf(object, 'ReplicaFailure');
  if (failure?.status === 'True') return `${ref.kind} ${ref.name}: its pods cannot be made: ${cut(failure.message ?? '')}`;
  const said = (await eventsOf(cluster, object)).find((e) => e['reason'] === 'FailedCreate');
  return said ? `${ref.kind} ${ref.name}: its pods cannot be made: ${cut(text(said['message']))}` : null;
}
/** Newest first. */
async function eventsOf(cluster: Cluster, { kind, metadata }: KubeObject): Promise<KubeObject[]> {
  const all = await cluster.list({ apiVersion: 'v1', kind: 'Event', ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }) });
  const at = (e: KubeObject): string => text(e['lastTimestamp'] ?? e['eventTime']);
  return all
    .filter((e) => fieldOf(e, 'involvedObject.kind') === kind && fieldOf(e, 'involvedObject.name') === metadata.name)
    .sort((a, b) => at(b).localeCompare(at(a)));
}
const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const cut = (words: string): string => (words.length > longest ? `${words.slice(0, longest)}…` : words);
