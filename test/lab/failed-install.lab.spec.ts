import type { LedgerEvent } from './support/api';
import { newRun, outcomes, planned, runs } from './support/cluster';
import type { Ran } from './support/program';
import { differences, type Snapshot, snapshot } from './support/snapshot';
import { World } from './support/world';

/**
 * An install that does not come to its end, followed by an uninstall: the machines are what they were.
 * `npm test` takes one failure and one cancel; `npm run test:faults` every obstacle, and a cancel at each fifth step of the plan.
 */
const all = process.env.STRATA_FAULTS === 'all';
const long = 15 * 60_000;

/** A directory with something in it, where a step has to write a file: that step fails, and what stands there is not ours to remove. */
const obstacles: { step: string; path: string; code: number; sample?: true }[] = [
  { step: 'n2/limits.configure', path: '/etc/security/limits.d/90-strata.conf', code: 4 }, // the rest became a cluster
  { step: 'n2/containerd.install', path: '/etc/crictl.yaml', code: 4, sample: true },
  { step: 'n1/kubernetes.kubelet-unit', path: '/etc/systemd/system/kubelet.service', code: 1 },
  { step: 'n1/kubernetes.binaries', path: '/usr/local/bin/kubeadm', code: 1 }, // nothing below /etc/kubernetes: that is taken for an old cluster
];
const sampledCancel = 'n1/kubernetes.kubelet-start';
const every = 5;

let world: World;
let spec: string;
const before = new Map<string, Snapshot>();

beforeAll(async () => {
  world = await World.make({ nodes: 2, base: 'ready' });
  for (const n of world.lab.nodes) before.set(n.name, await snapshot(world.lab, n.name));
  spec = await world.specFile();
}, long);
afterAll(() => world?.dispose(), 300_000);

/** Applies, and lets `meanwhile` do what it wants to the run. Gives how it ended. */
async function apply(meanwhile: (runId: string) => Promise<void> = async () => undefined): Promise<{ ran: Ran; events: LedgerEvent[] }> {
  const known = (await runs(world)).map((r) => r.id);
  const applying = world.server.strata(['apply', '-f', spec, '--yes'], { timeoutMs: long });
  const { id } = await newRun(world, known);
  const [ran] = await Promise.all([applying, meanwhile(id)]);
  return { ran, events: await world.server.api.eventsOf(id) };
}
/** Cancels a run at the very event that a step is under way. */
async function cancelAt(runId: string, step: string): Promise<void> {
  const { api } = world.server;
  let cancelled: Promise<unknown> | undefined;
  await api.followEvents(runId, {
    hear: ({ event }) => {
      if (event.kind !== 'OrderStarted' || event.step !== step || cancelled !== undefined) return;
      cancelled = api.must('POST', `/v1/runs/${runId}/cancel`);
      cancelled.catch(() => undefined); // told where it is awaited
    },
  });
  if (cancelled === undefined) throw new Error(`${step} never began`);
  await cancelled;
}
async function uninstalled(): Promise<void> {
  const ran = await world.server.strata(['uninstall', world.cluster, '--yes'], { timeoutMs: long });
  expect([ran.code, ran.code === 0 ? '' : ran.stdout.slice(-4_000)]).toEqual([0, '']);
}
async function asBefore(than: ReadonlyMap<string, Snapshot> = before): Promise<void> {
  for (const [name, was] of than) expect([name, ...differences(was, await snapshot(world.lab, name))]).toEqual([name]);
}

describe('an install that failed at a step, and an uninstall', () => {
  test.each(obstacles.filter((o) => all || o.sample))('$step', async ({ step, path, code }) => {
    const node = step.split('/')[0] ?? '';
    await world.lab.must(node, ['sh', '-c', 'mkdir -p "$1" && echo mine > "$1"/mine', 'sh', path]);
    const withObstacle = new Map(before).set(node, await snapshot(world.lab, node));
    const { ran, events } = await apply();
    expect([ran.code, outcomes(events).get(step)]).toEqual([code, 'failed']);
    expect(ran.stdout).toContain(path); // says what stands in its way
    await uninstalled();
    await asBefore(withObstacle);
    await world.lab.must(node, ['rm', '-r', path]);
    before.set(node, await snapshot(world.lab, node)); // folders above it stay
  }, long); // prettier-ignore
});

describe('an install that was cancelled at a step, and an uninstall', () => {
  test('each fifth step of the plan', async () => {
    let steps = [sampledCancel];
    if (all) {
      const plan = await apply((id) => cancelAt(id, 'cluster/artifact.obtain@runc'));
      steps = planned(plan.events).map((s) => s.key).filter((_, i) => i % every === every - 1); // prettier-ignore
      await uninstalled();
    }
    for (const step of steps) {
      const { ran, events } = await apply((id) => cancelAt(id, step));
      expect([step, ran.code, events.at(-1)?.body.result]).toEqual([step, 1, 'cancelled']);
      await uninstalled();
      await asBefore();
    }
  }, all ? 10 * long : long); // prettier-ignore
});
