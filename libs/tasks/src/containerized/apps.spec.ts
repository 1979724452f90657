import type { Action } from '@strata/model';
import type { Task } from '../define-task';
import { runTask } from '../run-task';
import type { KubeObject } from '../ports/cluster';
import { MemoryCluster, MemoryControl, simulatedClock } from '../testing';
import { appRestart, appStart, appStop } from './app-power';
import { appRemove } from './app-remove';
import { helmRelease } from './helm-release';
import { helmRollback } from './helm-rollback';
import { noteOf } from './release-note';

const of = { release: 'db', namespace: 'office', timeoutMs: 60_000 };
const made = (size: number): object => ({ bundle: 'office', component: 'db', version: '1.0.0', given: { size } });
const workload = (kind: string, spec: object, apiVersion = 'apps/v1'): KubeObject => ({
  apiVersion,
  kind,
  metadata: { name: 'db', namespace: 'office' },
  spec,
});
const claim = (name: string): KubeObject => ({ apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name, namespace: 'office' } });

/** A database with a claim of its chart's, one of its StatefulSet's, and a CronJob. */
class World {
  readonly cluster = new MemoryCluster();
  readonly control = new MemoryControl({ digest: '', entries: [], obtained: {} }, this.cluster);
  readonly notes: string[] = [];
  before: unknown;
  constructor() {
    this.cluster.up = () => true;
    this.cluster.network = null;
    this.cluster.members.set('n1', { address: '10.0.0.1', labels: {}, taints: [], unschedulable: false });
    this.control.releases.render = (_, { own }) => [
      workload('StatefulSet', { replicas: 3, volumeClaimTemplates: [{ metadata: { name: 'data' } }] }),
      workload('DaemonSet', {}),
      workload('CronJob', { schedule: '0 0 * * *' }, 'batch/v1'),
      ...(own === false ? [] : [claim('db-own')]),
    ];
  }
  async run(task: Task, input: object, action: Action = 'run'): ReturnType<typeof runTask> {
    const { cluster, control } = this;
    const common = { clock: simulatedClock(), progress: (_: unknown, note: string) => void this.notes.push(note), log: () => undefined, signal: new AbortController().signal, secret: () => '' };
    const journal = { storedBefore: () => undefined, before: async (value: unknown) => Promise.resolve(void (this.before = value)) };
    return runTask(task, { action, input, before: action === 'undo' ? this.before : undefined }, { ports: { cluster, control, node: null }, common, journal });
  } // prettier-ignore
  release(size: number, values: object = {}): ReturnType<typeof runTask> {
    const rest = { bundle: 'office', chart: 'charts/db', digest: 'a'.repeat(64), resources: [], gates: [], onFailure: 'rollback', made: made(size) };
    return this.run(helmRelease, { ...of, ...rest, values: { size, ...values } });
  }
  object = (kind: string): KubeObject | undefined => this.cluster.objects.get(`${kind} office/db`);
  replicas = (): unknown => (this.object('StatefulSet')?.['spec'] as { replicas?: number } | undefined)?.replicas;
  claims = (): string[] => [...this.cluster.objects.values()].filter((o) => o.kind === 'PersistentVolumeClaim').map((o) => o.metadata.name).sort(); // prettier-ignore
  note = (): ReturnType<typeof noteOf> => noteOf(this.cluster.objects.get('ConfigMap office/strata-release-db') ?? null);
}
async function installed(): Promise<World> {
  const world = new World();
  await world.release(1);
  await world.cluster.apply([claim('data-db-0'), claim('data-other-0')]);
  return world;
}
const stop = { ...of, at: 1_000 };

test.each([
  ['started', appStart, of],
  ['restarted', appRestart, { ...of, run: 'r1' }],
] as [string, Task, object][])('what somebody took something away of is not %s: it is said at once, with the way to make it again', async (_, task, input) => {
  const world = await installed();
  world.cluster.objects.delete('DaemonSet office/db');
  const { outcome, result } = await world.run(task, input);
  expect([outcome, result.failure?.code, result.failure?.message]).toEqual([
    'failed',
    'app-incomplete',
    'DaemonSet db of db is not there: somebody took it away',
  ]);
});

describe('stop and start', () => {
  it('note what was in the same write, and give exactly that back', async () => {
    const world = await installed();
    expect(await world.run(appStop, stop)).toMatchObject({ outcome: 'changed' });
    expect([world.replicas(), world.object('StatefulSet')?.metadata.annotations]).toEqual([0, { 'strata.local/stopped': '{"at":1000,"replicas":3}' }]);
    expect([world.object('CronJob')?.['spec'], world.object('DaemonSet')?.['spec']]).toEqual([
      { schedule: '0 0 * * *', suspend: true },
      { template: { spec: { nodeSelector: { 'strata.local/nowhere': 'stopped' } } } },
    ]);
    expect(await world.run(appStop, { ...stop, at: 2_000 })).toMatchObject({ outcome: 'satisfied' });
    expect(await world.run(appStart, of)).toMatchObject({ outcome: 'changed' });
    expect([world.replicas(), world.object('StatefulSet')?.metadata.annotations]).toEqual([3, {}]);
    expect([world.object('CronJob')?.['spec'], world.object('DaemonSet')?.['spec']]).toEqual([{ schedule: '0 0 * * *', suspend: false }, { template: { spec: { nodeSelector: {} } } }]);
    expect(await world.run(appStart, of)).toMatchObject({ outcome: 'satisfied' });
  }); // prettier-ignore
  it('are taken back: what ran runs, what was stopped is stopped', async () => {
    const world = await installed();
    await world.run(appStop, stop);
    await world.run(appStop, stop, 'undo');
    expect(world.replicas()).toBe(3);
    await world.run(appStop, stop);
    await world.run(appStart, of);
    await world.run(appStart, of, 'undo');
    expect([world.replicas(), world.object('StatefulSet')?.metadata.annotations]).toEqual([0, { 'strata.local/stopped': '{"at":1000,"replicas":3}' }]);
  });
  it('somebody who scaled it since keeps that', async () => {
    const world = await installed();
    await world.run(appStop, stop);
    await world.cluster.patch(workload('StatefulSet', { replicas: 2 }));
    await world.run(appStart, of);
    expect(world.replicas()).toBe(2);
  });
  it('an apply of the same leaves it stopped and says so; a new revision starts it and says so', async () => {
    const world = await installed();
    await world.run(appStop, stop);
    const { outcome, result } = await world.release(1);
    expect([outcome, world.replicas(), result.findings.map((f) => f.code)]).toEqual(['satisfied', 0, ['app.stopped']]);
    expect(await world.release(2)).toMatchObject({ outcome: 'changed' });
    expect([world.replicas(), world.notes]).toEqual([3, expect.arrayContaining(['db was stopped, and is started with this revision'])]);
  });
  it('a stop waits until the pods have ended, and says which have not', async () => {
    const world = await installed();
    world.cluster.pods = () => Promise.resolve([{ name: 'db-0', namespace: 'office', node: 'n1', phase: 'Terminating', ready: true, restarts: 0, reason: '' }]);
    await world.cluster.patch(workload('StatefulSet', { selector: { matchLabels: { app: 'db' } } }));
    const { result } = await world.run(appStop, stop);
    expect(result.failure).toMatchObject({
      code: 'still-running',
      message: expect.stringContaining('StatefulSet db: db-0 still there') as string,
      retry: true,
    });
  });
  it.each([appStop, appStart, appRestart])('of what is not there says so', async (task) => {
    expect((await new World().run(task, task === appStart ? of : task === appStop ? stop : { ...of, run: 'r' })).result.failure?.code).toBe('no-app');
  });
});

test('a restart happens once for each run, and not to what is stopped', async () => {
  const world = await installed();
  expect(await world.run(appRestart, { ...of, run: 'r1' })).toMatchObject({ outcome: 'changed' });
  expect(await world.run(appRestart, { ...of, run: 'r1' })).toMatchObject({ outcome: 'satisfied' });
  expect(world.object('StatefulSet')?.['spec']).toMatchObject({ replicas: 3, template: { metadata: { annotations: { 'strata.local/restarted': 'r1' } } } });
  await world.run(appStop, stop);
  expect((await world.run(appRestart, { ...of, run: 'r2' })).result.failure?.code).toBe('app-stopped');
});

describe('a way back', () => {
  it('is proven, noted as what that revision was made of, and nothing to do the second time', async () => {
    const world = await installed();
    await world.release(2);
    const input = { ...of, to: 1, from: 2 };
    expect(await world.run(helmRollback, input)).toMatchObject({ outcome: 'changed', result: { output: { revision: 3 } } });
    expect([world.note().good, world.note().made.get(3)]).toEqual([3, made(1)]);
    expect(await world.run(helmRollback, input)).toMatchObject({ outcome: 'satisfied' });
    await world.run(helmRollback, input, 'undo');
    expect(world.note().made.get(4)).toEqual(made(2));
  });
  it('that does not come up goes back to the last that worked', async () => {
    const world = await installed();
    await world.release(2);
    world.cluster.failing.add('StatefulSet office/db');
    const { result } = await world.run(helmRollback, { ...of, to: 1, from: 2 });
    expect(result.failure?.message).toMatch(/as in revision 1; StatefulSet db: 0 of 1 available; it went back to revision 2/);
    expect([world.note().good, world.note().made.get(4)]).toEqual([4, made(2)]);
  });
});

describe('data', () => {
  it('stay when a revision has no claim for them any more', async () => {
    const world = await installed();
    await world.release(2, { own: false });
    expect(world.claims()).toEqual(['data-db-0', 'data-other-0', 'db-own']);
  });
  it('stay when an application is removed, are known as its own, and go when somebody says so', async () => {
    const world = await installed();
    const remove = { ...of, deleteData: false, deleteNamespace: false };
    const { outcome, result } = await world.run(appRemove, remove);
    expect([outcome, result.output]).toEqual(['changed', { kept: ['db-own', 'data-db-0'] }]);
    expect([world.object('StatefulSet'), world.note().good, world.claims()]).toEqual([undefined, 0, ['data-db-0', 'data-other-0', 'db-own']]);
    await world.run(appRemove, { ...remove, deleteData: true });
    expect(world.claims()).toEqual(['data-other-0']);
  });
  it('that were there stay when an install of the same name fails', async () => {
    const world = await installed();
    await world.run(appRemove, { ...of, deleteData: false, deleteNamespace: false });
    world.cluster.failing.add('StatefulSet office/db');
    expect((await world.release(1)).result.failure?.message).toContain('it was taken away again');
    expect([world.object('StatefulSet'), world.claims()]).toEqual([undefined, ['data-db-0', 'data-other-0', 'db-own']]);
  });
});

test("a namespace goes only when it is a user's own and nothing else is in it", async () => {
  const world = await installed();
  const remove = { ...of, deleteData: true, deleteNamespace: true };
  const space = (labels: Record<string, string>): KubeObject => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'office', labels } });
  await world.cluster.apply([space({})]);
  expect((await world.run(appRemove, remove)).result.failure?.code).toBe('not-ours');
  await world.cluster.apply([space({ 'strata.local/user': 'alice' })]);
  expect((await world.run(appRemove, remove)).result.failure).toMatchObject({ code: 'namespace-in-use', message: expect.stringContaining('PersistentVolumeClaim data-other-0') as string }); // prettier-ignore
  await world.cluster.delete({ apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace: 'office', name: 'data-other-0' });
  expect(await world.run(appRemove, remove)).toMatchObject({ outcome: 'changed' });
  expect([...world.cluster.objects.keys()]).toEqual([]);
});
