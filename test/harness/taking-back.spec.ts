import { checkHistory } from '@strata/run/testing';
import { Fleet, type Troubles } from './fleet';
import { installOf, uninstallOf } from './scenarios';

const all = process.env.STRATA_FAULTS === 'all';
jest.setTimeout(3_600_000);

interface Begun {
  fleet: Fleet;
  found: unknown;
  result: string | null;
  steps: string[];
}
/** An install of two nodes in which one step fails for good, in the midst of its changes. */
async function failingAt(step: string | null, troubles: Troubles): Promise<Begun> {
  const fleet = new Fleet(['n1', 'n2']);
  const found = machinesOf(fleet);
  const plan = await installOf(fleet, 2);
  const view = await fleet.run(plan, { ...troubles, failsAlways: (order) => order.step === step && order.action === 'run' });
  checkHistory(plan, fleet.sim.ledger.all(view.runId));
  return { fleet, found, result: view.result, steps: plan.steps.map((s) => s.key) };
}
const machinesOf = (fleet: Fleet): unknown => fleet.snapshot().machines;

describe('an install that fails for good at a step', () => {
  let steps: string[] = [];
  beforeAll(async () => {
    steps = (await failingAt(null, {})).steps;
  });
  const chosen = (): string[] => steps.filter((_, i) => all || i % 7 === 3);

  it('unwinds to what was there, when the policy says so', async () => {
    for (const step of chosen()) {
      const { fleet, found, result } = await failingAt(step, { onFailure: 'unwind' });
      expect({ step, result, machines: machinesOf(fleet) }).toEqual({ step, result: 'unwound', machines: found });
      expect(fleet.control.kubeconfig).toBeNull();
    }
  });
  it('unwinds to the same while agents and server die', async () => {
    for (const [i, step] of chosen().entries()) {
      let [points, events] = [0, 0];
      const { fleet, found, result } = await failingAt(step, {
        onFailure: 'unwind', agentDies: () => (++points % (41 + i) === 0 && points < 400 ? 'after' : null), serverDies: () => ++events % (37 + i) === 0,
      }); // prettier-ignore
      expect({ step, result, machines: machinesOf(fleet) }).toEqual({ step, result: 'unwound', machines: found });
    }
  });
  it('is taken back whole by an uninstall', async () => {
    for (const step of chosen()) {
      const { fleet, found } = await failingAt(step, {});
      const enrolled = [...fleet.sim.agents.keys()];
      const view = await fleet.run(await uninstallOf(fleet, 2, enrolled));
      expect({ step, result: view.result, machines: machinesOf(fleet) }).toEqual({ step, result: 'done', machines: found });
    }
  });
});
