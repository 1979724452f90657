import type { KubeObject } from '../ports/cluster';
import { MemoryCluster } from '../testing';
import { replaceStuck } from './stuck-pods';

const at = (ms: number): string => new Date(ms).toISOString();
const set = (over: object = {}): KubeObject => ({ apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: { name: 'db', namespace: 'office', ...({ generation: 2 } as object) }, status: { observedGeneration: 2, updateRevision: 'new', ...over } }); // prettier-ignore
const pod = (n: number, hash: string, { ready = false, at: ms = 0, over = {} }: { ready?: boolean; at?: number; over?: object } = {}): KubeObject => ({
  apiVersion: 'v1', kind: 'Pod',
  metadata: { name: `db-${n}`, namespace: 'office', labels: { 'controller-revision-hash': hash }, ...({ ownerReferences: [{ kind: 'StatefulSet', name: 'db' }], ...over } as object) },
  status: { conditions: [{ type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: at(ms) }] },
}); // prettier-ignore

const ready = { ready: true };
test.each<[string, KubeObject[], string | null]>([
  ['a broken pod of before is replaced, the last one first', [set(), pod(0, 'old'), pod(10, 'old'), pod(9, 'old')], 'db-10'],
  ['also while the others are well', [set(), pod(0, 'new', ready), pod(1, 'old')], 'db-1'],
  ['a broken pod of what is wanted is not', [set(), pod(0, 'new')], null],
  ['nor one of before while one that is wanted is on its way', [set(), pod(0, 'old'), pod(1, 'new')], null],
  ['nor while one is ending', [set(), pod(0, 'old'), pod(1, 'old', { over: { deletionTimestamp: at(0) } })], null],
  ['nor one that works', [set(), pod(0, 'old', ready)], null],
  ['nor one that may only be starting', [set(), pod(0, 'old', { at: 55_000 })], null],
  ["nor somebody else's", [set(), pod(0, 'old', { over: { ownerReferences: [{ kind: 'StatefulSet', name: 'other' }] } })], null],
  ['nor before its controller has seen what is wanted', [set({ observedGeneration: 1 }), pod(0, 'old')], null],
  ['and without a StatefulSet there is nothing', [pod(0, 'old')], null],
])('%s', async (_, objects, gone) => {
  const cluster = new MemoryCluster();
  cluster.up = () => true;
  await cluster.apply(objects);
  expect(await replaceStuck(cluster, { now: () => 60_000 }, { name: 'db', namespace: 'office' })).toBe(gone);
  expect([...cluster.objects.values()].filter((o) => o.kind === 'Pod')).toHaveLength(objects.filter((o) => o.kind === 'Pod').length - (gone === null ? 0 : 1));
});
