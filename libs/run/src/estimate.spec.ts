import type { NewEvent } from '@strata/model';
import { decide } from './decide';
import { estimate } from './estimate';
import { summarize } from './summarize';
import { failureOf, life, planOf, play, situationOf, stepOf } from './testing';

const plan = planOf([
  stepOf('n1/long'),
  stepOf('n1/short', { needs: ['n1/long'] }),
  stepOf('n2/long'),
  stepOf('cluster/end', { needs: ['n1/short', 'n2/long'], phase: 'activate' }),
]);
const typical = { long: 10_000, short: 2_000, end: 1_000 };
const left = (now: number, ...events: NewEvent[]): ReturnType<typeof estimate> => {
  const view = play(plan, ...events);
  return estimate(plan, view, { now, typical, standings: decide(plan, view, situationOf(plan, { now })).standings });
};

describe('estimate', () => {
  it('is the longest chain of needs', () => {
    const e = left(0);
    expect(e).toMatchObject({ remainingMs: 13_000, critical: ['n1/long', 'n1/short', 'cluster/end'] });
    expect(Object.fromEntries(e.byNode)).toEqual({ n1: 12_000, n2: 10_000, cluster: 13_000 });
  });
  it('takes off what has run, and is never less than a little for what runs over its time', () => {
    expect(left(6_000, ...life('n1/long'), ...life('n2/long', 'changed')).remainingMs).toBe(9_000); // begun at 2 s
    expect(left(90_000, ...life('n1/long'), ...life('n2/long', 'changed')).remainingMs).toBe(4_000);
  });
  it('believes the progress of a step once it says enough', () => {
    const half: NewEvent = { kind: 'OrderProgressed', step: 'n1/long', node: 'n1', body: { attempt: 1, epoch: 1, action: 'run', fraction: 0.5, note: '' } };
    expect(left(6_000, ...life('n1/long'), half, ...life('n2/long', 'changed')).remainingMs).toBe(7_000);
  });
  it('counts nothing for what cannot move', () => {
    expect(left(20_000, ...life('n1/long', 'failed', { result: { failure: failureOf('x') } })).remainingMs).toBe(10_000);
    expect(left(20_000, ...['n1/long', 'n1/short', 'n2/long', 'cluster/end'].flatMap((k) => life(k, 'satisfied')))).toMatchObject({
      remainingMs: 0,
      critical: [],
    });
  });
});
describe('summarize', () => {
  it('counts, and tells where the time went without counting parallel time twice', () => {
    const s = summarize(play(plan, ...life('n1/long', 'changed'), ...life('n2/long', 'satisfied'), ...life('n1/short')), 10_000);
    expect(s).toMatchObject({ total: 4, done: 2, changed: 1, running: 1, waiting: 1, failed: 0, elapsedMs: 10_000 });
    expect(s.byPhase).toEqual([{ phase: 'install', ms: 4_000 }]); // 2–3 s, 5–6 s, 8–10 s
    expect(s.byNode).toEqual([{ node: 'n1', ms: 3_000 }, { node: 'n2', ms: 1_000 }]); // prettier-ignore
  });
});
