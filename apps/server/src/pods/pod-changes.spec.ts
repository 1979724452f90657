import type { PodUsage, PodView } from '@strata/model';
import { PodChanges } from './pod-changes';

const pod = (name: string, more: Partial<PodView> = {}): PodView => ({ name, namespace: 'shop', node: 'n1', layer: 'containerized', release: null, state: 'Running', ready: { containers: 1, of: 1 }, restarts: 0, startedAt: 0, trouble: null, usage: null, ...more }); // prettier-ignore
const seen = (pods: PodView[], behind: string | null = null) => ({ heardAt: 7, behind, pods });
const since = (changes: PodChanges, id: number): unknown[] | null => {
  const words = changes.since(id);
  return words && [...words].map((w) => [w.event, (JSON.parse(w.data) as { name?: string }).name ?? w.data]);
};

test('what came, changed and went since a moment, each pod once, the newest last', () => {
  const changes = new PodChanges();
  expect(changes.take(seen([pod('a'), pod('b'), pod('c')]))).toBe(true);
  const { id, seen: whole } = changes.whole();
  expect(whole.pods.map((p) => p.name)).toEqual(['a', 'b', 'c']);
  expect([changes.take(seen([pod('a'), pod('b'), pod('c')])), since(changes, id)]).toEqual([false, []]);
  changes.take(seen([pod('a', { restarts: 1 }), pod('c'), pod('d')]));
  changes.take(seen([pod('a', { restarts: 2 }), pod('c'), pod('d')]));
  expect(since(changes, id)).toEqual([['pod', 'd'], ['gone', 'b'], ['pod', 'a']]); // prettier-ignore
  changes.take(seen([pod('a', { restarts: 2 }), pod('b'), pod('c'), pod('d')]));
  expect(since(changes, id)?.at(-1)).toEqual(['pod', 'b']); // one that is there again is not gone
});
test('the watch that falls behind and catches up is told, and not how often it was heard', () => {
  const changes = new PodChanges();
  changes.take(seen([pod('a')]));
  const { id } = changes.whole();
  expect(changes.take({ ...seen([pod('a')]), heardAt: 99 })).toBe(false);
  changes.take(seen([pod('a')], 'connection refused'));
  expect(since(changes, id)).toEqual([['state', '{"heardAt":7,"behind":"connection refused"}']]);
  changes.take(seen([pod('a')]));
  expect(since(changes, id)).toEqual([['state', '{"heardAt":7,"behind":null}']]);
});
test.each<[string, [PodUsage | null, PodUsage | null], boolean]>([
  [
    'hardly',
    [
      { cpuMillis: 3, memoryBytes: 2 ** 30 },
      { cpuMillis: 7, memoryBytes: 2 ** 30 + 2 ** 20 },
    ],
    false,
  ],
  [
    'much in processor',
    [
      { cpuMillis: 3, memoryBytes: 5 },
      { cpuMillis: 8, memoryBytes: 5 },
    ],
    true,
  ],
  [
    'much in memory',
    [
      { cpuMillis: 3, memoryBytes: 5 },
      { cpuMillis: 3, memoryBytes: 5 + 2 ** 20 },
    ],
    true,
  ],
  [
    'a twentieth of much',
    [
      { cpuMillis: 2000, memoryBytes: 5 },
      { cpuMillis: 2099, memoryBytes: 5 },
    ],
    false,
  ],
  ['from being measured', [{ cpuMillis: 3, memoryBytes: 5 }, null], true],
  ['to being measured', [null, { cpuMillis: 0, memoryBytes: 0 }], true],
])('what a pod uses and moved %s', (_, [before, now], told) => {
  const changes = new PodChanges();
  changes.take(seen([pod('a', { usage: before })]));
  expect(changes.take(seen([pod('a', { usage: now })]))).toBe(told);
});
test('use that creeps is told when it has moved from what was told', () => {
  const changes = new PodChanges();
  const told = Array.from({ length: 11 }, (_, cpuMillis) => changes.take(seen([pod('a', { usage: { cpuMillis, memoryBytes: 0 } })])));
  expect(told.flatMap((t, i) => (t ? [i] : []))).toEqual([0, 5, 10]);
});
test('what is kept does not grow with what happens; who misses too much begins anew', () => {
  const changes = new PodChanges();
  changes.take(seen([pod('stays')]));
  const { id } = changes.whole();
  for (let i = 0; i < 20_000; i += 1) changes.take(seen([pod('stays', { restarts: i }), pod(`p${i}`)]));
  expect(changes.since(id)).toBeNull();
  const words = [...(changes.since(changes.whole().id - 2_500) ?? [])];
  expect(words.length).toBeLessThanOrEqual(1_003); // those that went, the two that are there, and the watch
  expect(new Set(words.map((w) => w.id)).size).toBe(words.length);
  expect(words.map((w) => w.id)).toEqual(words.map((w) => w.id).sort((a, b) => a - b));
  expect(changes.since(changes.whole().id + 1)).toBeNull(); // an id of nobody
});
