import type { NewEvent, Step } from '@strata/model';
import { decide } from './decide';
import type { Move } from './moves';
import { failureOf, life, planOf, play, situationOf, stepOf } from './testing';

const names = (moves: readonly Move[]): string[] =>
  moves.map((m) =>
    'order' in m
      ? `${m.kind} ${m.order.step} ${m.order.action} ${m.order.attempt}.${m.order.epoch}`
      : `${m.kind} ${'node' in m ? m.node : 'result' in m ? m.result : ''}`.trim(),
  );
const moves = (steps: Step[], events: NewEvent[], rest: Parameters<typeof situationOf>[1] & { kind?: 'uninstall'; absent?: string[] } = {}): string[] => {
  const plan = planOf(steps, rest);
  return names(decide(plan, play(plan, ...events), situationOf(plan, { now: 10_000, ...rest })).moves);
};
const passes = { result: { failure: failureOf('it broke', true) } };
const stays = { result: { failure: failureOf('it broke') } };
const ab = [stepOf('n1/a'), stepOf('n1/b', { needs: ['n1/a'] })];
const offline = { connected: false, openedAt: null };

describe('decide: going forward', () => {
  it('releases what needs nothing, and nothing that is out already', () => {
    expect(moves(ab, [])).toEqual(['release n1/a run 1.1']);
    expect(moves(ab, life('n1/a'))).toEqual([]);
    expect(moves(ab, life('n1/a', 'changed'))).toEqual(['release n1/b run 1.1']);
  });
  it('has no barriers: a node goes on as soon as what it needs is done', () => {
    const steps = [...ab, stepOf('n2/a'), stepOf('n2/b', { needs: ['n2/a'], phase: 'activate' })];
    expect(moves(steps, [...life('n2/a', 'satisfied'), ...life('n1/a')])).toEqual(['release n2/b run 1.1']);
  });
  it('ends when all is done', () => {
    expect(moves([stepOf('n1/a')], life('n1/a', 'changed'))).toEqual(['end done']);
    expect(moves([stepOf('n1/a')], life('n1/a', 'changed'), { absent: ['n3'] })).toEqual(['end degraded']);
    expect(moves([], [])).toEqual(['end done']);
  });
  it('stops after a phase', () => {
    const steps = [stepOf('n1/a', { phase: 'prepare' }), stepOf('n1/b', { needs: ['n1/a'] })];
    expect(moves(steps, life('n1/a', 'changed'), { until: 'prepare' })).toEqual(['end done']);
  });
  it('gives a place in a pool to the step that most others wait for', () => {
    const steps = [
      stepOf('n1/a', { pool: 'packages' }),
      stepOf('n1/b', { pool: 'packages' }),
      stepOf('n1/c', { needs: ['n1/b'] }),
      stepOf('n1/d', { pool: 'packages' }),
    ];
    expect(moves(steps, [], { pools: { packages: 1 } })).toEqual(['release n1/b run 1.1']);
    expect(moves(steps, [], { pools: { packages: 2 } })).toEqual(['release n1/b run 1.1', 'release n1/a run 1.1']);
  });
  it('fills a pool to its limit, a node and the server each with its own', () => {
    const steps = ['n1/a', 'n1/b', 'n2/a', 'cluster/x', 'cluster/y'].map((key) => stepOf(key, { pool: 'packages' }));
    expect(moves(steps, [], { pools: { packages: 1 } })).toEqual(['release n1/a run 1.1', 'release n2/a run 1.1', 'release cluster/x run 1.1']);
    expect(moves(steps, life('n1/a'), { pools: { packages: 1 } })).not.toContain('release n1/b run 1.1');
  });
});

describe('decide: attempts', () => {
  const one = [stepOf('n1/a', { attempts: 3 })];
  it('waits a little, longer each time, before it tries again what may pass', () => {
    const plan = planOf(one);
    const view = play(plan, ...life('n1/a', 'failed', passes)); // ended at 3 s
    const early = decide(plan, view, situationOf(plan, { now: 3_500 }));
    expect([early.moves, early.wakeAt]).toEqual([[], 4_000]);
    expect(names(decide(plan, view, situationOf(plan, { now: 4_000 })).moves)).toEqual(['release n1/a run 2.1']);
    const twice = play(plan, ...life('n1/a', 'failed', passes), ...life('n1/a', 'failed', { ...passes, attempt: 2 })); // ended at 6 s
    expect(decide(plan, twice, situationOf(plan, { now: 7_000 })).wakeAt).toBe(8_000);
  });
  it('gives up when attempts are spent, or at once when it cannot pass', () => {
    const spent = [1, 2, 3].flatMap((attempt) => life('n1/a', 'failed', { ...passes, attempt }));
    expect(moves(one, spent, { now: 99_000 })).toEqual(['end failed']);
    expect(moves(one, life('n1/a', 'failed', stays))).toEqual(['end failed']);
  });
  it('tries again at once when the operator asks', () => {
    const retried: NewEvent = { kind: 'StepRetried', step: 'n1/a', body: { by: 'x' } };
    expect(moves(one, [...life('n1/a', 'failed', stays), retried])).toEqual(['release n1/a run 2.1']);
  });
  it('calls an order lost when a later session does not hold it, and not before', () => {
    const running = life('n1/a'); // begun at 2 s
    const at = (openedAt: number, holds: [string, number][]): string[] => moves(one, running, { sessions: { n1: { openedAt, holds: new Map(holds) } } });
    expect(at(1_000, [])).toEqual([]);
    expect(at(5_000, [['r1.n1_a.run', 1]])).toEqual([]);
    expect(at(5_000, [])).toEqual(['lost n1/a run 1.1']);
  });
  it('releases a lost order anew, even when its task has one attempt', () => {
    expect(moves([stepOf('n1/a')], life('n1/a', 'lost', { result: {} }))).toEqual(['release n1/a run 2.1']);
  });
});

describe('decide: failures', () => {
  const steps = [...ab, stepOf('n1/c')];
  it('holds what needs a failed step, says so once, and lets everything else go on', () => {
    const failed = life('n1/a', 'failed', stays);
    expect(moves(steps, failed)).toEqual(['release n1/c run 1.1', 'hold']);
    const held: NewEvent = { kind: 'RunHeld', body: { because: 'n1/a failed: it broke; what needs it waits, everything else goes on' } };
    expect(moves(steps, [...failed, held, ...life('n1/c')])).toEqual([]);
    expect(moves(steps, [...failed, held, ...life('n1/c', 'changed')])).toEqual(['end failed']);
  });
  it('ends degraded when only workers are behind and another node is done', () => {
    const two = [stepOf('n1/a'), stepOf('cluster/x', { needs: ['n1/a'] }), stepOf('n2/a'), stepOf('n2/b', { needs: ['n2/a'] })];
    const good = [...life('n1/a', 'changed'), ...life('cluster/x', 'changed')];
    expect(moves(two, [...good, ...life('n2/a', 'failed', stays)])).toEqual(['end degraded']);
    expect(moves([stepOf('n2/a')], life('n2/a', 'failed', stays))).toEqual(['end failed']);
    expect(moves(two, [...life('n1/a', 'failed', stays), ...life('n2/a', 'satisfied'), ...life('n2/b', 'satisfied')])).toEqual(['end failed']);
  });
  it('calls it refused when a precheck said no and nothing was changed', () => {
    const checks = [stepOf('n1/check', { phase: 'precheck' }), stepOf('n1/a', { needs: ['n1/check'] })];
    expect(moves(checks, life('n1/check', 'refused', stays))).toEqual(['end refused']);
    const looks = [stepOf('n1/check', { phase: 'precheck' }), stepOf('n2/check', { phase: 'precheck' })];
    expect(moves(looks, [...life('n1/check', 'satisfied'), ...life('n2/check', 'refused', stays)])).toEqual(['end refused']);
  });
});

describe('decide: nodes', () => {
  it('releases nothing to a node that is not there, judges it after the wait, and never stops the others', () => {
    const two = [stepOf('n1/a'), stepOf('n2/a')];
    const gone = { sessions: { n2: { ...offline, lastSeen: 4_000 } }, nodeWaitMs: 30_000 };
    expect(moves(two, [], gone)).toEqual(['release n1/a run 1.1']);
    const plan = planOf(two);
    const view = play(plan, ...life('n1/a', 'changed'));
    const wait = decide(plan, view, situationOf(plan, { now: 10_000, ...gone }));
    expect([wait.moves, wait.wakeAt]).toEqual([[], 34_000]);
    expect(names(decide(plan, view, situationOf(plan, { ...gone, now: 34_000 })).moves)).toEqual(['absent n2']);
  });
  it('calls nobody absent for the time in which this server was not listening', () => {
    const gone = { sessions: { n1: { ...offline, lastSeen: 0 } }, nodeWaitMs: 30_000, listeningSince: 60_000 };
    expect(moves([stepOf('n1/a')], [], { ...gone, now: 80_000 })).toEqual([]);
    expect(moves([stepOf('n1/a')], [], { ...gone, now: 90_000 })).toEqual(['absent n1']);
  });
  it('gives a node that never came its wait from when it could begin', () => {
    const steps = [stepOf('cluster/x'), stepOf('n1/a', { needs: ['cluster/x'] })];
    const gone = { sessions: { n1: { ...offline, enrolled: false, lastSeen: 0 } }, nodeWaitMs: 2_000 };
    expect(moves(steps, life('cluster/x'), { ...gone, now: 60_000 })).toEqual([]);
    expect(moves(steps, life('cluster/x', 'changed'), { ...gone, now: 4_900 })).toEqual([]); // done at 3 s
    expect(moves(steps, life('cluster/x', 'changed'), { ...gone, now: 5_000 })).toEqual(['absent n1']);
  });
  it('ends degraded without the absent, settles what is still out there as lost, and takes a node back that returns', () => {
    const two = [stepOf('n1/a'), stepOf('n2/a')];
    const absent: NewEvent = { kind: 'NodeAbsent', node: 'n2', body: { lastSeenMs: 0, waitedMs: 1 } };
    const events = [...life('n1/a', 'changed'), ...life('n2/a'), absent];
    expect(moves(two, events, { sessions: { n2: offline } })).toEqual(['lost n2/a run 1.1', 'end degraded']);
    expect(moves(two, events, { sessions: { n2: { openedAt: 1, holds: new Map([['r1.n2_a.run', 1]]) } } })).toEqual(['returned n2']);
  });
});

describe('decide: cancel and unwind', () => {
  const cancel: NewEvent = { kind: 'CancelRequested', body: { by: 'ops', reason: 'wrong spec' } };
  const three = [...ab, stepOf('n1/c', { needs: ['n1/b'] })];
  it('starts nothing after a cancel, stops what is out, and ends when that has settled', () => {
    expect(moves(three, [...life('n1/a'), cancel])).toEqual(['cancel n1/a run 1.1']);
    expect(moves(three, [...life('n1/a'), cancel], { sessions: { n1: offline } })).toEqual([]);
    const plan = planOf(three);
    const end = decide(plan, play(plan, ...life('n1/a', 'changed'), cancel), situationOf(plan)).moves;
    expect(end).toEqual([{ kind: 'end', result: 'cancelled', because: 'cancelled by ops: wrong spec; changed and left as it is: n1/a' }]);
  });
  it('does not speak of holding any more once it is cancelled', () => {
    const two = [...three, stepOf('n1/x')];
    expect(moves(two, [...life('n1/x', 'failed', stays), ...life('n1/a'), cancel])).toEqual(['cancel n1/a run 1.1']);
  });
  const unwinding: NewEvent = { kind: 'UnwindStarted', body: { because: 'n1/c failed' } };
  const failed = [...life('n1/a', 'changed'), ...life('n1/b', 'satisfied'), ...life('n1/c', 'failed', stays)];
  it('takes back what this run changed, in reverse, when the policy or the step says so', () => {
    expect(moves(three, failed, { onFailure: 'unwind' })).toEqual(['unwind']);
    const byStep = three.map((s) => (s.key === 'n1/c' ? { ...s, onFailure: 'unwind' as const } : s));
    expect(moves(byStep, failed)).toEqual(['unwind']);
    expect(moves(three, [...failed, unwinding])).toEqual(['release n1/a undo 2.1']);
    expect(moves(three, [...failed, unwinding, ...life('n1/a', 'changed', { action: 'undo', attempt: 2 })])).toEqual(['end unwound']);
  });
  it('undoes a step only after all that need it, through steps that changed nothing', () => {
    const events = [
      ...life('n1/a', 'changed'),
      ...life('n1/b', 'satisfied'),
      ...life('n1/c', 'failed', { result: { before: {}, failure: failureOf('x') } }),
      unwinding,
    ];
    expect(moves(three, events)).toEqual(['release n1/c undo 2.1']);
    const undone = (outcome: 'changed' | 'failed'): NewEvent[] =>
      life('n1/c', outcome, { action: 'undo', attempt: 2, result: outcome === 'failed' ? { failure: failureOf('stuck') } : {} });
    expect(moves(three, [...events, ...undone('changed')])).toEqual(['release n1/a undo 2.1']);
    expect(moves([...three, stepOf('n1/d')], [...life('n1/d', 'changed'), ...events, ...undone('failed')])).toEqual(['release n1/d undo 2.1']);
    expect(moves(three, [...events, ...undone('failed')])).toEqual(['end failed']);
  });
  it('goes on taking back after a resume, also a step that failed in the midst of its changes', () => {
    const half = [...life('n1/a', 'changed'), ...life('n1/b', 'failed', { result: { before: {}, failure: failureOf('x') } }), unwinding];
    const ended: NewEvent[] = [
      { kind: 'RunEnded', body: { result: 'failed', because: 'n1 was away' } },
      { kind: 'RunResumed', body: { by: 'ops', epoch: 2 } },
    ];
    expect(moves(ab, [...half, ...ended])).toEqual(['release n1/b undo 2.2']);
    expect(moves(ab, [...half, ...ended, ...life('n1/b', 'changed', { action: 'undo', attempt: 2, epoch: 2 })])).toEqual(['release n1/a undo 2.2']);
  });
  it('does not call it unwound while an order is out on an absent node', () => {
    const absent: NewEvent = { kind: 'NodeAbsent', node: 'n2', body: { lastSeenMs: 0, waitedMs: 1 } };
    const two = [...three, stepOf('n2/x')];
    const events = [...life('n2/x'), ...life('n1/a', 'failed', stays), unwinding, absent];
    expect(moves(two, events, { sessions: { n2: offline } })).toEqual(['lost n2/x run 1.1', 'end failed']);
  });
  it('never unwinds a plan that takes back', () => {
    const steps = [stepOf('n1/a', { action: 'undo' }), stepOf('n1/b', { action: 'undo', needs: ['n1/a'] })];
    expect(moves(steps, [], { kind: 'uninstall' })).toEqual(['release n1/a undo 1.1']);
    const events = [...life('n1/a', 'changed', { action: 'undo' }), ...life('n1/b', 'failed', { ...stays, action: 'undo' })];
    expect(moves(steps, events, { kind: 'uninstall', onFailure: 'unwind' })).toEqual(['end failed']);
  });
});
