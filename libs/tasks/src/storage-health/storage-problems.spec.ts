import type { StorageStatus } from '@strata/model';
import { storageProblems } from './storage-problems';

type Node = StorageStatus['nodes'][number];
const mount = { path: '/strata/rootfs', state: 'ok', words: 'it answers', latencyMs: 2, since: 0, remounts: 0 } as const;
const node: Node = { name: 'n1', missing: null, pods: [], mount, cache: null, used: 0, metadata: { used: 60, limit: 100, clients: 3, sessions: 2 }, objects: { answers: true, words: '' }, disks: [{ path: '/c', size: 100, free: 50 }] }; // prettier-ignore
const of = (change: Partial<Node>, kind: 'local' | 'juicefs' = 'juicefs'): [string, string][] =>
  storageProblems({ cluster: 'home', kind, path: '/strata/rootfs', metadataNode: kind === 'local' ? null : 'n1', metadataReplica: null, metadataUrl: null, objectsNode: 'n2', nodes: [{ ...node, ...change }] }).map((p) => [p.node, p.words]); // prettier-ignore

test('nothing is wrong where nothing is', () => {
  expect(of({})).toEqual([]);
  expect(of({ mount: null, metadata: null, objects: null }, 'local')).toEqual([]);
});
test.each<[Partial<Node>, RegExp]>([
  [{ mount: { ...mount, state: 'hangs', words: 'it hangs' }, pods: ['default/a'] }, /^it hangs; pods that use it: default\/a$/],
  [{ mount: null }, /has seen no shared mount/],
  [{ metadata: { used: 70, limit: 100, clients: 3, sessions: 2 } }, /has used 70 % of its memory/],
  [{ metadata: null }, /the metadata does not answer/],
  [{ metadata: null, closed: { mount: null, metadata: 'its counters went back' } }, /^the metadata let nobody in: its counters went back$/],
  [{ closed: { mount: null, metadata: 'its counters went back' } }, /^the metadata let nobody in: its counters went back$/],
  [
    { mount: { ...mount, state: 'stopped', words: 'it is stopped' }, closed: { mount: 'the tree went back', metadata: null } },
    /^this node left the tree: the tree went back$/,
  ],
  [{ objects: { answers: false, words: 'silence' } }, /^silence$/],
  [{ external: { answers: false, words: 'nobody there' } }, /^the metadata do not answer: nobody there$/],
  [{ disks: [{ path: '/c', size: 100, free: 9 }] }, /the disk of \/c has 9 % free/],
  [{ missing: 'its agent has no session', mount: null, disks: [] }, /^its agent has no session$/],
])('what is wrong is told once, by its node: %j', (change, words) => {
  expect(of(change)).toEqual([['n1', expect.stringMatching(words)]]);
});
test('a tree of the machine’s own is told of when its disk is full', () => {
  expect(of({ mount: null, metadata: null, objects: null, disks: [{ path: '/strata/rootfs', size: 1000, free: 99 }] }, 'local')).toEqual([['n1', expect.stringMatching(/9 % free/)]]); // prettier-ignore
});

const primary = { role: 'primary', closed: null, inStep: true, alone: false, lagSeconds: 0 } as const;
const replica = { ...primary, role: 'replica' } as const;
const copies = (one: object, other: object | null): [string, string][] => {
  const of = (name: string, copy: object | null): Node =>
    ({ ...node, name, metadata: copy === null ? null : { used: 1, limit: 100, clients: 1, sessions: 1, copy } }) as Node;
  const all = {
    cluster: 'home',
    kind: 'juicefs',
    path: '/strata/rootfs',
    metadataNode: 'n1',
    metadataReplica: 'n2',
    metadataUrl: null,
    objectsNode: 'n3',
  } as const;
  return storageProblems({ ...all, nodes: [of('n1', one), of('n2', other)] }).map((p) => [p.node, p.words]);
};
test.each<[string, [object, object | null], [string, RegExp][]]>([
  ['both are in step', [primary, replica], []],
  ['the replica is away', [{ ...primary, inStep: false }, null], [['n1', /answer no write: their replica on n2 does not follow/], ['n2', /replica of the metadata does not answer/]]],
  ['the replica was never in step', [{ ...primary, inStep: false, alone: true }, { ...replica, inStep: false, lagSeconds: 7 }], [['n1', /have no copy/], ['n2', /does not follow n1, for 7 s/]]],
  ['the primary waits for it', [{ ...primary, closed: 'it does not answer' }, replica], [['n1', /let nobody in: it does not answer/]]],
  ['the old primary is back', [primary, primary], [['n2', /were the primary until those on n1 were/]]],
  ['a drill was left half-way', [replica, replica], [['n1', /nobody is the primary/]]],
])('two copies: %s', (_, [one, other], words) => {
  expect(copies(one, other)).toEqual(words.map(([name, said]) => [name, expect.stringMatching(said) as string]));
}); // prettier-ignore
