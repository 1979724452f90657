import type { Action } from '@strata/model';
import { runTask } from '../run-task';
import { TaskError } from '../task-error';
import { MemoryCluster, MemoryControl, simulatedClock } from '../testing';
import { helmRelease } from './helm-release';

const digest = 'a'.repeat(64);
const base = {
  bundle: 'demo', release: 'app', namespace: 'shop', chart: 'charts/app', digest, values: { size: 1 }, resources: [], gates: [], onFailure: 'rollback', timeoutMs: 60_000,
}; // prettier-ignore
const of = { release: 'app', namespace: 'shop' };

/** One cluster with a node that takes pods, and Helm. */
class World {
  readonly cluster = new MemoryCluster();
  readonly control = new MemoryControl({ digest: '', entries: [], obtained: {} }, this.cluster);
  readonly clock = simulatedClock();
  readonly notes: string[] = [];
  before: unknown;
  constructor() {
    this.cluster.up = () => true;
    this.cluster.network = null;
    this.cluster.members.set('n1', { address: '10.0.0.1', labels: {}, taints: [], unschedulable: false });
  }
  async run(over: object = {}, action: Action = 'run'): ReturnType<typeof runTask> {
    const { cluster, control, clock } = this;
    return runTask(
      helmRelease,
      { action, input: { ...base, ...over }, before: action === 'undo' ? this.before : undefined },
      {
        ports: { cluster, control, node: null },
        common: { clock, progress: (_, note) => void this.notes.push(note), log: () => undefined, signal: new AbortController().signal, secret: () => '' },
        journal: { storedBefore: () => undefined, before: async (value) => Promise.resolve(void (this.before = value)) },
      },
    );
  }
  statuses = (): string[] => (this.control.releases.kept.get('shop/app') ?? []).map((r) => `${r.revision} ${r.status}`);
}
const workload = 'Deployment shop/app';

describe('a release', () => {
  it('is made, is proven, and is nothing to do the second time', async () => {
    const world = new World();
    expect(await world.run()).toMatchObject({ outcome: 'changed', result: { output: { revision: 1 } } });
    expect(await world.run()).toMatchObject({ outcome: 'satisfied', result: { output: { revision: 1 } } });
    expect(await world.run({ values: { size: 2 } })).toMatchObject({ outcome: 'changed', result: { output: { revision: 2 } } });
    expect(world.statuses()).toEqual(['1 superseded', '2 deployed']);
  });
  it('that never came up is taken away, with the cause', async () => {
    const world = new World();
    world.cluster.failing.add(workload);
    const { outcome, result } = await world.run();
    expect([outcome, result.failure?.code, result.failure?.retry]).toEqual(['failed', 'gate-closed', false]);
    expect(result.failure?.message).toMatch(/^waited 60 s for release app of demo to work; Deployment app: 0 of 1 available; it was taken away again/);
    expect([world.statuses(), [...world.cluster.objects.keys()]]).toEqual([[], []]);
  });
  it('that does not come up goes back to the last one that did, which then is nothing to do', async () => {
    const world = new World();
    await world.run();
    world.cluster.failing.add(workload);
    const { result } = await world.run({ values: { size: 2 } });
    expect(result.failure?.message).toContain('it went back to revision 1, the last one that worked');
    expect(world.statuses()).toEqual(['1 superseded', '2 superseded', '3 deployed']);
    world.cluster.failing.clear();
    expect(await world.run({ values: { size: 2 } })).toMatchObject({ outcome: 'changed', result: { output: { revision: 4 } } });
  });
  it('that is refused by Helm goes back as well', async () => {
    const world = new World();
    await world.run();
    world.control.releases.refuses = 'values do not meet the specifications of the schema';
    const { result } = await world.run({ values: { size: 'x' } });
    expect(result.failure?.message).toMatch(/do not meet the specifications.*went back to revision 1/);
  });
  it('that Helm refuses before it changes anything stays as it is', async () => {
    const world = new World();
    const { upgrade } = world.control.releases;
    const refuse = (): Promise<void> => Promise.reject(new TaskError('helm-failed', "helm upgrade app: values don't meet the specifications", { remedy: '' }));
    world.control.releases.upgrade = refuse;
    expect((await world.run()).result.failure?.message).toMatch(/specifications; nothing of it was installed$/);
    world.control.releases.upgrade = upgrade.bind(world.control.releases);
    await world.run();
    world.control.releases.upgrade = refuse;
    expect((await world.run({ values: { size: 'x' } })).result.failure?.message).toMatch(/; revision 1, which works, was not touched$/);
    expect(world.statuses()).toEqual(['1 deployed']);
  });
  it('that is held stays as it is for a look', async () => {
    const world = new World();
    world.cluster.failing.add(workload);
    const { result } = await world.run({ onFailure: 'hold' });
    expect([result.failure?.message.includes('taken away'), world.statuses()]).toEqual([false, ['1 deployed']]);
  });
  it('one that works no more is not taken back: nothing of it was changed', async () => {
    const world = new World();
    await world.run();
    world.cluster.failing.add(workload);
    const { outcome } = await world.run();
    expect([outcome, world.statuses()]).toEqual(['failed', ['1 deployed']]);
  });
  it('of which somebody took something away is made whole again by Helm', async () => {
    const world = new World();
    await world.run();
    world.cluster.objects.delete(workload);
    expect(await world.run()).toMatchObject({ outcome: 'changed', result: { output: { revision: 2 } } });
    expect([world.cluster.objects.has(workload), await world.run()]).toMatchObject([true, { outcome: 'satisfied' }]);
  });
  it('an API that goes away for a while is waited for', async () => {
    const world = new World();
    let asked = 0;
    const rollout = world.cluster.rollout.bind(world.cluster);
    world.cluster.rollout = async (ref) => {
      asked += 1;
      if (asked < 5) world.cluster.up = () => false;
      else world.cluster.up = () => true;
      return rollout(ref);
    };
    expect(await world.run()).toMatchObject({ outcome: 'changed' });
    expect(world.notes.join('\n')).toContain('the API of the cluster does not answer');
  });
  it("an operator's resources come when it runs, and are waited for", async () => {
    const world = new World();
    const resource = { apiVersion: 'x/v1', kind: 'Sealed', metadata: { name: 's', namespace: 'shop' } };
    const gate = { resource: { apiVersion: 'x/v1', kind: 'Sealed', name: 's', namespace: 'shop', field: 'status.phase', is: 'Done' } };
    const { result } = await world.run({ resources: [resource], gates: [gate] });
    expect(result.failure?.message).toContain('Sealed s: status.phase is not there yet, not Done');
    await world.cluster.apply([{ ...resource, status: { phase: 'Done' } }]);
    const apply = world.cluster.apply.bind(world.cluster);
    world.cluster.apply = (objects) => apply(objects.map((o) => (o.kind === 'Sealed' ? { ...o, status: { phase: 'Done' } } : o)));
    expect(await world.run({ resources: [resource], gates: [gate] })).toMatchObject({ outcome: 'changed' });
  });

  describe('that a dead client left in the midst of something', () => {
    const left = (world: World, status: string): void => {
      const all = world.control.releases.kept.get('shop/app') ?? [];
      all.push({ revision: all.length + 1, status, description: 'half', objects: [], at: world.clock.now() });
      world.control.releases.kept.set('shop/app', all);
    };
    it('is left alone until nobody wrote for its whole time, and then begun anew', async () => {
      const world = new World();
      left(world, 'pending-install');
      const began = world.clock.now();
      expect(await world.run()).toMatchObject({ outcome: 'changed' });
      expect(world.clock.now() - began).toBeGreaterThanOrEqual(60_000);
      expect(world.statuses()).toEqual(['1 deployed']);
    });
    it('goes back to the last one that worked first', async () => {
      const world = new World();
      await world.run();
      left(world, 'pending-upgrade');
      await world.run({ values: { size: 2 } });
      expect(world.statuses()).toEqual(['1 superseded', '2 pending-upgrade', '3 superseded', '4 deployed']);
    });
    it('is not touched while somebody still writes, and not at all when they end well', async () => {
      const world = new World();
      left(world, 'pending-install');
      const kept = world.control.releases.kept.get('shop/app');
      const written = world.control.releases.written.bind(world.control.releases);
      const began = world.clock.now();
      let looks = 0;
      world.control.releases.written = async (ref, revision) => {
        looks += 1;
        if (looks === 40 && kept?.[0]) kept[0].status = 'deployed';
        return { at: began, version: `${Math.min(looks, 20)} ${(await written(ref, revision))?.version ?? ''}` };
      };
      await world.run();
      expect(world.statuses()).toEqual(['1 superseded', '2 deployed']);
    });
  });

  it('is given back: the one before, or none', async () => {
    const world = new World();
    await world.run();
    await world.run({}, 'undo');
    expect([world.statuses(), await world.control.releases.newest(of)]).toEqual([[], null]);
    await world.run();
    await world.run({ values: { size: 2 } });
    await world.run({ values: { size: 2 } }, 'undo');
    expect(world.statuses()).toEqual(['1 superseded', '2 superseded', '3 deployed']);
  });
});
