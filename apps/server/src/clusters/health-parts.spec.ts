import type { NodeView, PodView } from '@strata/model';
import type { ClusterNode } from '@strata/tasks';
import { kubernetesParts, layerOf, nativeParts, noApi, podParts } from './health-parts';

const node = (more: Partial<NodeView>): NodeView => ({
  id: 'i', clusterId: 'c', name: 'n1', role: 'worker', address: '10.0.0.1', state: 'enrolled', online: true, lastSeenAt: '2026-11-29T00:00:00Z', agentVersion: '0.1.0', skewMs: 0, hostname: 'n1', os: 'Debian', storage: null, ...more,
}); // prettier-ignore
const mount = { path: '/strata', latencyMs: 1, since: 0, remounts: 0 };

test.each<[string, Partial<NodeView>, { ok: boolean; words: RegExp }]>([
  ['one that answers', {}, { ok: true, words: /^its agent 0\.1\.0 answers$/ }],
  ['one with a mount', { storage: { ...mount, state: 'ok', words: '' } }, { ok: true, words: /\/strata is mounted$/ }],
  ['a dead mount', { storage: { ...mount, state: 'dead', words: 'its process ended' } }, { ok: false, words: /^\/strata: its process ended$/ }],
  ['no session', { online: false }, { ok: false, words: /no session, it was heard last at 2026/ }],
  ['no agent yet', { state: 'planned', online: false }, { ok: false, words: /no agent yet/ }],
  ['a wrong clock', { skewMs: -61_000 }, { ok: false, words: /61 s behind/ }],
  ['a clock that is a little off', { skewMs: 59_000 }, { ok: true, words: /answers/ }],
])('native: %s', (_name, more, { ok, words }) => {
  expect(nativeParts([node(more)], null)).toEqual([{ what: 'n1', ok, words: expect.stringMatching(words) as string }]);
});
test('a node that was removed is nobody’s', () => expect(nativeParts([node({ state: 'removed' })], null)).toEqual([]));

test('Kubernetes has to know each node, and call it Ready', () => {
  const of = (more: Partial<ClusterNode>): ClusterNode => ({ name: 'n1', ready: true, uid: '', addresses: [], message: '', version: 'v1.37.2', unschedulable: false, labels: {}, taints: [], ...more }); // prettier-ignore
  const said = kubernetesParts(['n1', 'n2', 'n3', 'n4'], [of({}), of({ name: 'n2', ready: false, message: 'kubelet stopped' }), of({ name: 'n4', unschedulable: true })], null); // prettier-ignore
  expect(said.map((p) => [p.ok, p.words])).toEqual([
    [true, 'Ready, v1.37.2'],
    [false, 'not Ready: kubelet stopped'],
    [false, 'Kubernetes knows no such node: strata apply joins it'],
    [true, 'Ready, v1.37.2, cordoned: no new pod comes there'],
  ]);
});

test('what a run at work may be about to make leads to that run, not to another apply', () => {
  const wordsOf = (run: string | null): string[] =>
    [...nativeParts([node({ state: 'planned' })], run), noApi(run), ...kubernetesParts(['n1'], [], run)].map((p) => p.words);
  expect(wordsOf(null)).toEqual([0, 1, 2].map(() => expect.stringContaining('strata apply') as string));
  expect(wordsOf('r-1')).toEqual([0, 1, 2].map(() => expect.stringMatching(/: run r-1 is at work: strata runs watch r-1$/) as string));
});

test('pods are one line a layer, and one for each with trouble; what may be old is not well', () => {
  const pod = (more: Partial<PodView>): PodView => ({ name: 'a', namespace: 'shop', node: 'n1', layer: 'containerized', release: null, state: 'Running', ready: { containers: 1, of: 1 }, restarts: 0, startedAt: 0, trouble: null, usage: null, ...more }); // prettier-ignore
  const view = {
    cluster: 'home',
    heardAt: 0,
    behind: null,
    pods: [pod({}), pod({ name: 'b', trouble: 'web: ended with 1' }), pod({ name: 'dns', layer: 'orchestration' })],
  };
  expect(podParts(view, 'containerized')).toEqual([
    { what: 'pods', ok: false, words: '2 pods, something is wrong with 1' },
    { what: 'shop/b', ok: false, words: 'web: ended with 1' },
  ]);
  expect(podParts(view, 'orchestration')).toEqual([{ what: 'pods', ok: true, words: '1 pod' }]);
  expect(podParts({ ...view, behind: 'connection refused' }, 'orchestration')).toEqual([{ what: 'pods', ok: false, words: '1 pod, as far as is known: connection refused' }]); // prettier-ignore
  expect(layerOf('containerized', podParts(view, 'containerized')).ok).toBe(false);
  expect(layerOf('containerized', []).ok).toBe(true);
});
