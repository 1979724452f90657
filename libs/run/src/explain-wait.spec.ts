import type { NewEvent, Step } from '@strata/model';
import { decide } from './decide';
import { span } from './explain-wait';
import { failureOf, life, planOf, play, situationOf, stepOf } from './testing';

const steps = [stepOf('n1/a'), stepOf('n1/b', { needs: ['n1/a'] }), stepOf('n1/c', { needs: ['n1/b'] }), stepOf('n2/x', { needs: ['n1/c'] })];
const waits = (of: Step[], events: NewEvent[], rest: Parameters<typeof situationOf>[1] = {}): Record<string, string> => {
  const plan = planOf(of);
  const all = decide(plan, play(plan, ...events), situationOf(plan, { now: 14_000, ...rest })).waits;
  return Object.fromEntries(all.map((w) => [w.step, `${w.for} | ${w.since} | ${w.endedBy}`]));
};

describe('explainWaits', () => {
  it('follows the chain down to what runs', () => {
    expect(waits(steps, [...life('n1/a', 'changed'), ...life('n1/b')])).toEqual({
      'n1/c': 'n1/b, which runs since 9 s | 0 | n1/b done',
      'n2/x': 'n1/c, which waits for n1/b, which runs since 9 s | 0 | n1/c done',
    });
  });
  it('names the step that failed, why, and the command that helps', () => {
    expect(waits([...steps, stepOf('n1/z')], [...life('n1/a', 'failed', { result: { failure: failureOf('disk full') } }), ...life('n1/z')])).toMatchObject({
      'n1/a': 'the operator: it failed: disk full | 3000 | look at it',
      'n2/x': 'n1/a, which failed: disk full | 3000 | strata runs retry r1 n1/a',
    });
  });
  it('says when a node was last seen and until when it is waited for', () => {
    const gone = { connected: false, openedAt: null, lastSeen: 4_000 };
    expect(waits([stepOf('n1/a'), stepOf('n2/x')], life('n1/a'), { sessions: { n2: gone }, nodeWaitMs: 30_000 })).toEqual({
      'n2/x': 'n2, last seen 10 s ago | 4000 | n2 connects; it counts as absent in 20 s',
    });
    expect(waits([stepOf('n2/x')], [], { sessions: { n2: { ...gone, enrolled: false } }, nodeWaitMs: 30_000 })['n2/x']).toContain(
      'n2, which has not joined yet',
    );
  });
  it('names who holds the pool, the next attempt, and an absent node', () => {
    const pooled = [stepOf('n1/a', { pool: 'packages' }), stepOf('n1/b', { pool: 'packages' })];
    expect(waits(pooled, life('n1/a'), { pools: { packages: 1 } })['n1/b']).toContain('a place in the pool packages on n1, which n1/a holds');
    const again = life('n1/a', 'failed', { result: { failure: failureOf('busy', true) } });
    expect(waits([stepOf('n1/a', { attempts: 2 })], again, { now: 3_200 })['n1/a']).toBe(
      'its next attempt in 1 s: attempt 1 failed: busy | 3000 | attempt 2 of 2',
    );
    const absent: NewEvent = { kind: 'NodeAbsent', node: 'n2', body: { lastSeenMs: 0, waitedMs: 1 } };
    const offline = { sessions: { n2: { connected: false, openedAt: null } } };
    expect(waits([stepOf('n1/a'), stepOf('n2/x'), stepOf('n2/y', { needs: ['n2/x'] })], [...life('n1/a'), absent], offline)).toEqual({
      'n2/x': 'n2, which is absent | 3000 | n2 comes back',
      'n2/y': 'n2/x, whose node n2 is absent | 3000 | n2 comes back',
    });
  });
  it('has words for every step that does not move, and for none that does', () => {
    expect(Object.keys(waits(steps, life('n1/a'))).sort()).toEqual(['n1/b', 'n1/c', 'n2/x']);
  });
  it('says spans as people do', () => expect([0, 59_400, 60_000, 260_000, 7_500_000].map(span)).toEqual(['0 s', '59 s', '1 min', '4 min 20 s', '2 h 5 min']));
});
