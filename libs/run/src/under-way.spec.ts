import type { NewEvent } from '@strata/model';
import { life, planOf, play, stepOf } from './testing';
import { firstWaits, runningText, underWay } from './under-way';

const plan = planOf([stepOf('n1/check'), stepOf('n1/packages', { needs: ['n1/check'] }), stepOf('n2/join')]);
const progress: NewEvent = {
  kind: 'OrderProgressed',
  step: 'n1/packages',
  node: 'n1',
  body: { attempt: 1, epoch: 1, action: 'run', fraction: 0.456, note: 'Unpacking gcc' },
};

describe('what is under way', () => {
  it('is what began and has not ended, with what it says of itself', () => {
    const running = underWay(plan, play(plan, ...life('n1/check', 'changed'), ...life('n1/packages'), progress));
    expect(running).toEqual([
      { step: 'n1/packages', title: 'packages is in place', since: expect.any(Number) as number, fraction: 0.456, note: 'Unpacking gcc' },
    ]);
    expect(running.map((r) => runningText(r, (r.since ?? 0) + 40_000))).toEqual(['n1/packages runs since 40 s, 45 %: Unpacking gcc']);
  });
  it('says of an order that has not begun that it is on its way', () => {
    expect(runningText({ step: 'n2/join', title: '', since: null, fraction: null, note: '' }, 0)).toBe('n2/join is on its way');
  });
});

describe('the first wait of each node', () => {
  it('stands for all that is behind it', () => {
    const wait = (step: string): { step: string; for: string; since: null; endedBy: string } => ({ step, for: 'x', since: null, endedBy: 'y' });
    const all = ['n1/a', 'n2/a', 'n1/b', 'cluster/a', 'n1/c'].map(wait);
    expect(firstWaits(all).map(({ wait: w, more }) => [w.step, more])).toEqual([['n1/a', 2], ['n2/a', 0], ['cluster/a', 0]]); // prettier-ignore
  });
});
