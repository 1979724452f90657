import type { SeenRelease } from '@strata/cluster';
import { appView } from './app-state';

const made = (version: string): object => ({ bundle: 'office', component: 'db', version, given: {} });
const seen = (over: object = {}): SeenRelease =>
  ({
    name: 'db', namespace: 'user-alice', revisions: [{ revision: 1, status: 'superseded', at: 100 }, { revision: 2, status: 'deployed', at: 200 }],
    note: { good: 2, made: new Map([[1, made('1.0.0')], [2, made('1.1.0')]]) }, workloads: [], ...over,
  }) as unknown as SeenRelease; // prettier-ignore
const workload = (over: object = {}): object => ({ apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', missing: null, stoppedAt: null, ...over });
const withStatus = (status: string): SeenRelease => seen({ revisions: [{ revision: 3, status, at: 300 }] });

test('what the cluster tells of a release that works', () => {
  expect(appView(seen(), false)).toEqual({
    name: 'db', namespace: 'user-alice', user: 'alice', bundle: 'office', component: 'db', version: '1.1.0', revision: 2, proven: [1, 2],
    state: 'running', why: null, since: 200, by: 'app',
  }); // prettier-ignore
});
test.each([
  ['pending-upgrade', 'pending'],
  ['uninstalling', 'going'],
  ['failed', 'failed'],
  ['unknown', 'failed'],
])('Helm calls it %s: it is %s', (status, state) => {
  expect(appView(withStatus(status), false)).toMatchObject({ state, since: 300, why: expect.any(String) as string });
});
test('stopped is only what is stopped whole; a part of it is degraded, as is what does not come up', () => {
  const stopped = workload({ stoppedAt: 500 });
  expect(appView(seen({ workloads: [stopped, workload({ stoppedAt: 400 })] }), false)).toMatchObject({ state: 'stopped', since: 400, why: null });
  expect(appView(seen({ workloads: [stopped, workload()] }), false)).toMatchObject({ state: 'degraded', why: 'Deployment web: stopped' });
  expect(appView(seen({ workloads: [workload({ missing: '0 of 1 available' })] }), false)).toMatchObject({
    state: 'degraded',
    why: 'Deployment web: 0 of 1 available',
  });
});
test("whose it is: the spec's, ours, or somebody else's Helm; and what Helm keeps no more was no proof to go back to", () => {
  expect(appView(seen(), true).by).toBe('spec');
  expect(appView(seen({ note: { good: 0, made: new Map() } }), false)).toMatchObject({ by: 'other', bundle: null, proven: [] });
  expect(appView(withStatus('deployed'), false)).toMatchObject({ proven: [], version: '1.1.0' });
});
