import type { StorageStatus } from '@strata/model';
import { storageProblems } from './storage-problems';

type Node = StorageStatus['nodes'][number];
const mount = { path: '/strata/rootfs', state: 'ok', words: 'it answers', latencyMs: 2, since: 0, remounts: 0 } as const;
const node: Node = { name: 'n1', missing: null, pods: [], mount, cache: null, used: 0, metadata: { used: 60, limit: 100, clients: 3, sessions: 2 }, objects: { answers: true, words: '' }, disks: [{ path: '/c', size: 100, free: 50 }] }; // prettier-ignore
const of = (change: Partial<Node>, kind: 'local' | 'juicefs' = 'juicefs'): [string, string][] =>
  storageProblems({ cluster: 'home', kind, path: '/strata/rootfs', metadataNode: kind === 'local' ? null : 'n1', objectsNode: 'n2', nodes: [{ ...node, ...change }] }).map((p) => [p.node, p.words]); // prettier-ignore

test('nothing is wrong where nothing is', () => {
  expect(of({})).toEqual([]);
  expect(of({ mount: null, metadata: null, objects: null }, 'local')).toEqual([]);
});
test.each<[Partial<Node>, RegExp]>([
  [{ mount: { ...mount, state: 'hangs', words: 'it hangs' }, pods: ['default/a'] }, /^it hangs; pods that use it: default\/a$/],
  [{ mount: null }, /has seen no shared mount/],
  [{ metadata: { used: 70, limit: 100, clients: 3, sessions: 2 } }, /has used 70 % of its memory/],
  [{ metadata: null }, /the metadata does not answer/],
  [{ objects: { answers: false, words: 'silence' } }, /^silence$/],
  [{ disks: [{ path: '/c', size: 100, free: 9 }] }, /the disk of \/c has 9 % free/],
  [{ missing: 'its agent has no session', mount: null, disks: [] }, /^its agent has no session$/],
])('what is wrong is told once, by its node: %j', (change, words) => {
  expect(of(change)).toEqual([['n1', expect.stringMatching(words)]]);
});
test('a tree of the machine’s own is told of when its disk is full', () => {
  expect(of({ mount: null, metadata: null, objects: null, disks: [{ path: '/strata/rootfs', size: 1000, free: 99 }] }, 'local')).toEqual([['n1', expect.stringMatching(/9 % free/)]]); // prettier-ignore
});
