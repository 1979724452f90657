import type { Plan } from '@strata/model';
import type { RunView } from '@strata/run';
import { checkHistory, seeded } from '@strata/run/testing';
import { Fleet, type Troubles } from './fleet';
import { type Scenario, scenarios } from './scenarios';

/**
 * The engine's standing harness (DESIGN, section 5): every plan, with real tasks on machines in memory, under every trouble; the end must be that of
 * the undisturbed run. A fixed sample of the points; all of them with STRATA_FAULTS=all.
 */
const all = process.env.STRATA_FAULTS === 'all';
const sampled = 4;
const many = 500; // more resumes than any plan has steps

interface Lived {
  fleet: Fleet;
  plan: Plan;
  view: RunView;
}
async function live(scenario: Scenario, troubles: Troubles = {}): Promise<Lived> {
  const fleet = new Fleet(scenario.machines, scenario.kind);
  const plan = await scenario.prepare(fleet);
  const view = await fleet.run(plan, { meanwhile: scenario.meanwhile, ...troubles });
  checkHistory(plan, fleet.sim.ledger.all(view.runId));
  return { fleet, plan, view };
}
/** All of 1…n, or some of them, spread evenly. */
const some = (n: number): number[] => {
  const every = all ? 1 : Math.max(1, Math.floor(n / sampled));
  return Array.from({ length: n }, (_, i) => i + 1).filter((i) => i % every === 0);
};

describe.each(scenarios)('$name', (scenario) => {
  const calm = { points: 0, events: 0, end: null as unknown };
  const expectSameEnd = ({ view, fleet }: Lived): void => {
    expect([view.result, view.because]).toEqual(['done', expect.any(String)]);
    expect(fleet.snapshot()).toEqual(calm.end);
    expect(fleet.kube.made.ca).toBe(fleet.kube.made.ca === 0 ? 0 : 1);
  };
  beforeAll(async () => {
    const lived = await live(scenario, { agentDies: () => (calm.points++, null), serverDies: () => (calm.events++, false) });
    calm.end = lived.fleet.snapshot();
    expect(lived.view.result).toBe('done');
  });

  it('ends the same when each step fails once and passes by itself', async () => {
    for (const at of all ? (['start', 1, 2, 3] as const) : (['start', 2] as const))
      expectSameEnd(await live(scenario, { firstFailure: () => ({ at, retry: true }), resumes: many }));
  });
  it('ends the same when each step fails once and the operator opens the run again', async () => {
    for (const at of all ? (['start', 1] as const) : ([1] as const))
      expectSameEnd(await live(scenario, { firstFailure: () => ({ at, retry: false }), resumes: many }));
  });
  it('does nothing twice when each order is delivered three times', async () => {
    const lived = await live(scenario, { deliveries: 3 });
    expectSameEnd(lived);
    expect(new Set(lived.fleet.executed).size).toBe(lived.fleet.executed.length);
  });
  it('ends the same when an agent dies at any journal write or change', async () => {
    for (const n of some(calm.points))
      for (const when of ['before', 'after'] as const) {
        let point = 0;
        let where = '';
        const lived = await live(scenario, { agentDies: (name) => (++point === n ? ((where = name), when) : null) });
        try {
          expectSameEnd(lived);
          expect([...lived.view.steps.values()].every((s) => s.attempt === 1)).toBe(true);
        } catch (error) {
          throw new Error(`the agent died ${when} point ${n}, ${where}: ${(error as Error).message}`, { cause: error });
        }
      }
  });
  it('ends the same when the server dies between any two events', async () => {
    for (const n of some(calm.events)) {
      let event = 0;
      const lived = await live(scenario, { serverDies: () => ++event === n });
      try {
        expectSameEnd(lived);
        expect([...lived.view.steps.values()].every((s) => s.attempt === 1)).toBe(true);
      } catch (error) {
        throw new Error(`the server died after event ${n}: ${(error as Error).message}`, { cause: error });
      }
    }
  });
  it('ends the same when everything happens at once', async () => {
    for (let seed = 1; seed <= (all ? 100 : 2); seed++) {
      const random = seeded(seed);
      let left = 20;
      const chance = (p: number): boolean => left > 0 && random() < p && left-- > 0;
      const lived = await live(scenario, {
        deliveries: 2, resumes: many,
        firstFailure: () => (random() < 0.2 ? { at: random() < 0.5 ? 'start' : 1 + Math.floor(random() * 3), retry: random() < 0.7 } : null),
        agentDies: () => (chance(0.02) ? (random() < 0.5 ? 'before' : 'after') : null),
        serverDies: () => chance(0.02),
      }); // prettier-ignore
      try {
        expectSameEnd(lived);
      } catch (error) {
        throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
      }
    }
  });
});
jest.setTimeout(3_600_000);
