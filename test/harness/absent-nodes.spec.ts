import { checkHistory } from '@strata/run/testing';
import type { RunEvent } from '@strata/model';
import { Fleet } from './fleet';
import { installOf } from './scenarios';

jest.setTimeout(600_000);
const kinds = (events: readonly RunEvent[], kind: RunEvent['kind']): (string | null)[] => events.filter((e) => e.kind === kind).map((e) => e.node);
const machines = ['n1', 'n2', 'n3'];
const hour = 3_600_000;

describe('a node that is silent for longer than the policy waits', () => {
  it.each([2_000, 6_000, 12_000])('is left behind %d ms into the install, degraded, and finished when it is back', async (at) => {
    const calm = new Fleet(machines);
    await calm.run(await installOf(calm, 3));
    const fleet = new Fleet(machines);
    const plan = await installOf(fleet, 3);
    const first = await fleet.run(plan, { meanwhile: () => fleet.sim.time.after(at, () => fleet.sim.agents.get('n3')?.offline(hour)) });
    const events = fleet.sim.ledger.all(first.runId);
    checkHistory(plan, events);
    expect([first.result, first.because]).toEqual(['degraded', expect.stringContaining('n3 is absent')]);
    expect(kinds(events, 'NodeAbsent')).toEqual(['n3']);
    expect((await fleet.cluster.nodes()).filter((n) => n.ready).map((n) => n.name)).toEqual(expect.arrayContaining(['n1', 'n2']));

    await fleet.sim.time.until(() => fleet.sim.server.isConnected('n3'), 2 * hour);
    const second = await fleet.run(await installOf(fleet, 3, machines));
    expect([second.result, second.because]).toEqual(['done', expect.any(String)]);
    expect(fleet.snapshot()).toEqual(calm.snapshot());
    expect(fleet.kube.made.ca).toBe(1);
  });
  it('stops what it still did for the old run before it does the same for the new one', async () => {
    const fleet = new Fleet(machines);
    let first = true;
    const slow = (order: { step: string }): number => (first && order.step === 'n3/packages.install' ? ((first = false), 3 * hour) : 0);
    const degraded = await fleet.run(await installOf(fleet, 3), {
      slow,
      meanwhile: () => fleet.sim.time.after(12_000, () => fleet.sim.agents.get('n3')?.offline(hour)),
    });
    expect(degraded.result).toBe('degraded');
    expect(degraded.steps.get('n3/packages.install')).toMatchObject({ state: 'failed', outcome: 'lost' });
    const before = fleet.sim.time.now();
    await fleet.sim.time.until(() => fleet.sim.server.isConnected('n3'), 2 * hour);
    const finished = await fleet.run(await installOf(fleet, 3, machines));
    expect([finished.result, finished.because]).toEqual(['done', expect.any(String)]);
    expect(fleet.sim.time.now() - before).toBeLessThan(2 * hour);
  });
  it('goes on by itself when it is back while the others are still at work', async () => {
    const fleet = new Fleet(machines);
    const plan = await installOf(fleet, 3);
    const view = await fleet.run(plan, { meanwhile: () => fleet.sim.time.after(3_000, () => fleet.sim.agents.get('n1')?.offline(hour)), resumes: 100 });
    const events = fleet.sim.ledger.all(view.runId);
    checkHistory(plan, events);
    expect(view.result).toBe('done');
    expect(kinds(events, 'NodeAbsent')).toContain('n1');
  });
});
