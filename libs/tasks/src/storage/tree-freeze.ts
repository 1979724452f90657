import { PlainPath, usesTree } from '@strata/model';
import { z } from 'zod';
import { defineServerTask } from '../define-task';
import { blocker } from '../native/findings';
import type { Cluster, KubeObject } from '../ports/cluster';
import { until } from '../wait';

/** On a workload that stands still for a migration: how many replicas it had. */
const had = 'strata.local/replicas-before-migration';
const kinds = ['Deployment', 'StatefulSet'] as const;

interface PodLike {
  nodeName?: string;
  volumes?: { hostPath?: { path?: string }; persistentVolumeClaim?: { claimName?: string } }[];
}
const specOf = (o: KubeObject): Record<string, unknown> => (o.spec ?? {}) as Record<string, unknown>;
const podSpec = (o: KubeObject): PodLike => (o.kind === 'Pod' ? specOf(o) : ((specOf(o).template as { spec?: object } | undefined)?.spec ?? {}));
const replicas = (o: KubeObject): number => Number(specOf(o).replicas ?? 1);
const words = (o: KubeObject): string => `${o.kind} ${o.metadata.namespace ?? 'default'}/${o.metadata.name}`;

/** Names of claims, with their namespace, whose volume is a folder below the path. */
async function claims(cluster: Cluster, path: string): Promise<Set<string>> {
  const volumes = await cluster.list({ apiVersion: 'v1', kind: 'PersistentVolume' });
  return new Set(
    volumes.flatMap((v) => {
      const s = specOf(v) as { hostPath?: { path?: string }; local?: { path?: string }; claimRef?: { namespace?: string; name?: string } };
      const at = s.hostPath?.path ?? s.local?.path;
      return at !== undefined && s.claimRef && usesTree(path, at) ? [`${s.claimRef.namespace ?? ''}/${s.claimRef.name ?? ''}`] : [];
    }),
  );
}
interface Users {
  /** Can be scaled down and back. */
  scaled: KubeObject[];
  pods: KubeObject[];
  /** Cannot: they must be stopped by whoever made them. */
  others: string[];
}
async function usersOf(cluster: Cluster, path: string): Promise<Users> {
  const claimed = await claims(cluster, path);
  const uses = (o: KubeObject): boolean =>
    (podSpec(o).volumes ?? []).some(
      (v) => (v.hostPath?.path !== undefined && usesTree(path, v.hostPath.path)) || claimed.has(`${o.metadata.namespace ?? ''}/${v.persistentVolumeClaim?.claimName ?? ' '}`),
    );
  const all = (await Promise.all(kinds.map((kind) => cluster.list({ apiVersion: 'apps/v1', kind })))).flat();
  const sets = await cluster.list({ apiVersion: 'apps/v1', kind: 'ReplicaSet' });
  const pods = (await cluster.list({ apiVersion: 'v1', kind: 'Pod' })).filter((p) => uses(p) && !['Succeeded', 'Failed'].includes((p.status as { phase?: string } | undefined)?.phase ?? ''));
  const owner = (o: KubeObject | undefined): { kind: string; name: string } | undefined =>
    ((o?.metadata as { ownerReferences?: { kind: string; name: string; controller?: boolean }[] } | undefined)?.ownerReferences ?? []).find((r) => r.controller);
  const others = pods.flatMap((pod) => {
    const first = owner(pod);
    const of = first?.kind === 'ReplicaSet' ? owner(sets.find((s) => s.metadata.name === first.name && s.metadata.namespace === pod.metadata.namespace)) : first;
    return kinds.some((kind) => kind === of?.kind) ? [] : [of ? `${of.kind} ${pod.metadata.namespace ?? ''}/${of.name}` : words(pod)];
  });
  return { scaled: all.filter((o) => uses(o) || o.metadata.annotations?.[had] !== undefined), pods, others: [...new Set(others)] };
} // prettier-ignore
const patchOf = (o: KubeObject, annotation: string | null, count: number): object => ({
  apiVersion: o.apiVersion ?? 'apps/v1', kind: o.kind,
  metadata: { name: o.metadata.name, namespace: o.metadata.namespace, annotations: { [had]: annotation } },
  spec: { replicas: count },
}); // prettier-ignore

const Input = z.strictObject({ path: PlainPath, stop: z.boolean() });

/** Nobody in the cluster has the tree open: its workloads stand still. With `stop: false` it only sees whether that will be possible. */
export const treeFreeze = defineServerTask({
  name: 'tree.freeze', version: 1, layer: 'orchestration', timeout: '10m', attempts: 3,
  title: 'Workloads that use the tree stand still',
  input: Input,
  before: z.strictObject({}),
  output: z.strictObject({}),
  async check({ cluster, input }) {
    const { scaled, pods, others } = await usersOf(cluster, input.path);
    if (others.length > 0)
      return { state: 'refused', findings: [blocker('migration.users', `${others.join(', ')} use ${input.path} and cannot be scaled to none`, 'delete or stop them for the time of the migration, then try again')] };
    if (!input.stop || (pods.length === 0 && scaled.every((o) => replicas(o) === 0))) return { state: 'satisfied', output: {} };
    return { state: 'unsatisfied', reason: `they run: ${scaled.filter((o) => replicas(o) > 0).map(words).join(', ') || pods.map(words).join(', ')}`, before: {} };
  },
  async apply({ cluster, input, clock, signal, progress }) {
    for (const o of (await usersOf(cluster, input.path)).scaled)
      if (replicas(o) > 0) await cluster.patch(patchOf(o, String(replicas(o)), 0) as KubeObject);
    let last = '';
    const remedy = 'see `kubectl describe` of the pods that are named; `strata storage rollback` starts all again';
    await until(clock, { what: 'the pods that use the tree to end', timeoutMs: 540_000, everyMs: 500, signal, remedy, note: () => last }, async () => {
      const { pods } = await usersOf(cluster, input.path);
      last = pods.map(words).join(', ');
      progress(null, last);
      return pods.length === 0 ? true : null;
    });
  },
  undo: { never: 'the run itself starts them again (tree.thaw)' },
}); // prettier-ignore

/** All that stood still has as many replicas as before. */
export const treeThaw = defineServerTask({
  name: 'tree.thaw', version: 1, layer: 'orchestration', timeout: '5m', attempts: 3,
  title: 'Workloads that stood still run again',
  input: z.strictObject({ path: PlainPath }),
  before: z.strictObject({}),
  output: z.strictObject({}),
  async check({ cluster, input }) {
    const still = (await usersOf(cluster, input.path)).scaled.filter((o) => o.metadata.annotations?.[had] !== undefined);
    return still.length === 0 ? { state: 'satisfied', output: {} } : { state: 'unsatisfied', reason: `they stand still: ${still.map(words).join(', ')}`, before: {} };
  },
  async apply({ cluster, input }) {
    for (const o of (await usersOf(cluster, input.path)).scaled) {
      const count = o.metadata.annotations?.[had];
      if (count !== undefined) await cluster.patch(patchOf(o, null, Number(count)) as KubeObject);
    }
  },
  undo: { never: 'they ran before' },
}); // prettier-ignore
