import type { NewEvent, Plan, Step } from '@strata/model';
import { decide } from './decide';
import { lookOf } from './dry-run';
import { foldAll } from './fold';
import { failureOf, opening, planOf, settled, situationOf, stepOf } from './testing';
import type { RunView } from './view';

const after = (plan: Plan, events: NewEvent[]): RunView =>
  foldAll(
    'r1',
    [...opening(plan, { dryRun: true }), ...events].map((e, i) => ({ step: null, node: null, ...e, runId: 'r1', seq: i + 1, at: i * 1000 })),
  );
const look = (step: string, end: Parameters<typeof settled>[2] | 'failed' | 'refused' | null = null): NewEvent[] => {
  const node = step.startsWith('cluster/') ? null : (step.split('/')[0] ?? null);
  const order = { attempt: 1, epoch: 1, action: 'check' as const };
  const released: NewEvent = { kind: 'OrderReleased', step, node, body: { ...order, orderId: `r1/${step}.check` } };
  if (end === null) return [released];
  const [outcome, result] = typeof end === 'string' ? ([end, { failure: failureOf('it broke') }] as const) : (['satisfied', end] as const);
  return [released, settled({ ...order, step, node }, outcome, result)];
};
const moves = (steps: Step[], events: NewEvent[] = [], rest: Parameters<typeof situationOf>[1] = {}): string[] => {
  const plan = planOf(steps);
  return decide(plan, after(plan, events), situationOf(plan, rest)).moves.map((m) =>
    'order' in m ? `${m.kind} ${m.order.step} ${m.order.action}` : `${m.kind}${'because' in m ? ` ${m.because}` : ''}`,
  );
};
const asItIs = { output: {} };
const wouldChange = { reason: 'it is 1, want 2' };
const ab = [stepOf('n1/a'), stepOf('n1/b', { needs: ['n1/a'] })];

describe('a dry run', () => {
  it('looks at one step after the other, whatever the one before said, and changes nothing', () => {
    expect(moves(ab)).toEqual(['release n1/a check']);
    expect(moves(ab, look('n1/a'))).toEqual([]);
    for (const end of [asItIs, wouldChange, 'failed', 'refused'] as const) expect(moves(ab, look('n1/a', end))).toEqual(['release n1/b check']);
  });
  it('ends with what was found', () => {
    expect(moves(ab, [...look('n1/a', asItIs), ...look('n1/b', wouldChange)])).toEqual([
      'end a dry run: of 2 steps 1 as they should be, 1 would change something; nothing was changed',
    ]);
    expect(moves([])).toEqual(['end a dry run: of 0 steps none is needed; nothing was changed']);
  });
  it('tries no look twice, and unwinds or holds nothing', () => {
    expect(moves([stepOf('n1/a', { attempts: 3, onFailure: 'unwind' })], look('n1/a', 'failed'))).toEqual([expect.stringMatching(/^end .* 1 cannot be told/)]);
  });
  it('leaves out what hangs on the output of a step that has still to be done', () => {
    const steps = [stepOf('n1/a'), stepOf('n1/b', { needs: ['n1/a'], input: { x: { $output: 'n1/a', path: 'x' } } })];
    expect(moves(steps, look('n1/a', { output: { x: 1 } }))).toEqual(['release n1/b check']);
    expect(moves(steps, look('n1/a', wouldChange))).toEqual([expect.stringMatching(/^end .* 1 would change something, 1 cannot be told/)]);
  });
  it('asks no agent that is not there, and none of its server’s about it', () => {
    const steps = [stepOf('n1/a'), stepOf('n2/agent.install', { target: 'server' }), stepOf('n2/a', { needs: ['n2/agent.install'] }), stepOf('cluster/x')];
    expect(moves(steps, [], { sessions: { n2: { enrolled: false, connected: false } } })).toEqual(['release n1/a check', 'release cluster/x check']);
    expect(moves(steps, [], { sessions: { n2: { connected: false } } })).toEqual([
      'release n1/a check',
      'release n2/agent.install check',
      'release cluster/x check',
    ]);
  });
  it('gives up a look whose node goes away, after the usual wait', () => {
    const gone = { sessions: { n1: { connected: false, lastSeen: 1_000 } } };
    expect(moves([stepOf('n1/a')], look('n1/a'), { ...gone, now: 60_000 })).toEqual([]);
    expect(moves([stepOf('n1/a')], look('n1/a'), { ...gone, now: 200_000 })).toEqual(['lost n1/a check']);
  });
  it('stops when it is cancelled', () => {
    const cancelled: NewEvent = { kind: 'CancelRequested', body: { by: 'ops', reason: '' } };
    expect(moves(ab, [...look('n1/a'), cancelled])).toEqual(['cancel n1/a check']);
    expect(moves(ab, [...look('n1/a', asItIs), cancelled])).toEqual(['end cancelled by ops; nothing was changed']);
  });
});

test.each<[string, NewEvent[], ReturnType<typeof lookOf>]>([
  ['satisfied', look('n1/a', asItIs), { kind: 'as-it-is' }],
  ['unsatisfied', look('n1/a', wouldChange), { kind: 'would-change', because: 'it is 1, want 2' }],
  ['unknown', look('n1/a', { reason: 'unknown until the API answers' }), { kind: 'unknown', because: 'unknown until the API answers' }],
  ['refused', look('n1/a', 'refused'), { kind: 'refused', because: 'it broke' }],
  ['a look that failed', look('n1/a', 'failed'), { kind: 'unknown', because: 'it broke' }],
  ['no look', [], { kind: 'unknown', because: 'n1 could not be asked' }],
])('what is said of a step: %s', (_, events, said) => {
  const plan = planOf([stepOf('n1/a')]);
  expect(lookOf(plan, after(plan, events), plan.steps[0]!)).toEqual(said);
});
