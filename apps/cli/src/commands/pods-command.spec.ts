import type { PodView } from '@strata/model';
import { podsText } from './pods-command';

const pod = (more: Partial<PodView>): PodView => ({
  name: 'web-1', namespace: 'shop', node: 'n1', layer: 'containerized', release: 'front', state: 'Running', ready: { containers: 1, of: 1 }, restarts: 0, startedAt: 0, trouble: null, ...more,
}); // prettier-ignore

test('pods are a table, with what is wrong below it, and how old that is where it may be', () => {
  const stuck = pod({ name: 'web-2', node: null, release: null, state: 'Pending', ready: { containers: 0, of: 1 }, startedAt: null, trouble: 'no node takes it: Insufficient cpu' }); // prettier-ignore
  const lines = podsText({ cluster: 'home', heardAt: 60_000, behind: 'connection refused', pods: [pod({}), stuck] }, 90_000).split('\n');
  expect(lines.map((l) => l.split(/ {2,}/).map((w) => w.trim()))).toEqual([
    ['NAMESPACE', 'POD', 'NODE', 'RELEASE', 'READY', 'STATE', 'RESTARTS', 'AGE'],
    ['shop', 'web-1', 'n1', 'front', '1/1', 'Running', '0', '90 s'],
    ['shop', 'web-2', '-', '-', '0/1', 'Pending', '0', '-'],
    ['shop/web-2: no node takes it: Insufficient cpu'],
    ['as of 30 s ago: connection refused'],
  ]);
  expect(podsText({ cluster: 'home', heardAt: 0, behind: null, pods: [] }, 0)).toBe('no pods');
});
