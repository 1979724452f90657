import type { NewEvent, RunEvent } from '@strata/model';
import { emptyView, fold, foldAll } from './fold';
import { life, planOf, play, settled, stepOf } from './testing';
import { IllegalTransition, stepTransitions } from './transitions';

const plan = planOf([stepOf('n1/a'), stepOf('n1/b', { needs: ['n1/a'] })]);
const order = (attempt: number, epoch = 1): { attempt: number; epoch: number; action: 'run' } => ({ attempt, epoch, action: 'run' });
const released = (attempt: number, epoch = 1): NewEvent => ({
  kind: 'OrderReleased',
  step: 'n1/a',
  node: 'n1',
  body: { ...order(attempt, epoch), orderId: 'o' },
});
const progressed = (fraction: number | null, attempt = 1): NewEvent => ({
  kind: 'OrderProgressed',
  step: 'n1/a',
  node: 'n1',
  body: { ...order(attempt), fraction, note: 'x' },
});
const ended: NewEvent = { kind: 'RunEnded', body: { result: 'failed', because: 'so' } };

describe('fold', () => {
  it('follows an order from its release to its end', () => {
    const view = play(plan, ...life('n1/a', 'changed', { result: { before: { was: 1 }, output: { x: 2 } } }));
    expect(view.steps.get('n1/a')).toMatchObject({ state: 'done', attempt: 1, outcome: 'changed', changed: true, before: { was: 1 }, endedAt: 3000 });
    expect(view.steps.get('n1/b')).toMatchObject({ state: 'waiting', attempt: 0 });
    expect(view).toMatchObject({ state: 'running', seq: 5, epoch: 1, startedAt: 0, openedAt: 0 });
  });
  it('keeps the `before` of the first change over attempts and calls a half-done attempt changed', () => {
    const failed = life('n1/a', 'failed', { result: { before: { was: 1 } } });
    const view = play(plan, ...failed, ...life('n1/a', 'changed', { attempt: 2, result: { before: { was: 'half' } } }));
    expect(view.steps.get('n1/a')).toMatchObject({ before: { was: 1 }, changed: true, attempt: 2 });
    expect(play(plan, ...failed).steps.get('n1/a')).toMatchObject({ state: 'failed', changed: true });
    expect(play(plan, ...life('n1/a', 'failed')).steps.get('n1/a')).toMatchObject({ state: 'failed', changed: false });
  });
  it('takes a settle of an attempt or epoch that is not the current one as evidence only', () => {
    const second = [...life('n1/a', 'failed'), released(2)];
    for (const late of [order(1), order(2, 7), order(3)]) {
      const view = play(plan, ...second, settled({ step: 'n1/a', node: 'n1', ...late }, 'changed'));
      expect(view.steps.get('n1/a')).toMatchObject({ state: 'released', attempt: 2, outcome: null, changed: false });
    }
  });
  it('takes a second settle of the same attempt as evidence only', () => {
    const view = play(plan, ...life('n1/a', 'satisfied'), settled({ step: 'n1/a', node: 'n1', ...order(1) }, 'failed'));
    expect(view.steps.get('n1/a')).toMatchObject({ state: 'done', outcome: 'satisfied' });
  });
  it('never lets progress go back within an attempt, and begins anew with the next', () => {
    const view = play(plan, released(1), progressed(0.5), progressed(0.2), progressed(null));
    expect(view.steps.get('n1/a')).toMatchObject({ state: 'running', progress: { fraction: 0.5 } });
    const next = play(plan, released(1), progressed(0.5), settled({ step: 'n1/a', node: 'n1', ...order(1) }, 'failed'), released(2));
    expect(next.steps.get('n1/a')?.progress).toBeNull();
  });
  it('ignores kinds that it does not know, and events that it has seen', () => {
    const view = emptyView('r1');
    const odd = { runId: 'r1', seq: 1, at: 0, step: null, node: null, kind: 'toString', body: {} } as unknown as RunEvent;
    expect(fold(view, odd)).toMatchObject({ seq: 1, state: 'checking' });
    const running = play(plan, ...life('n1/a'));
    expect(fold(running, { ...odd, seq: 1, kind: 'RunEnded' } as RunEvent)).toMatchObject({ state: 'running', seq: 4 });
  });
  it('leaves the view that it was given as it is', () => {
    const view = play(plan);
    const before = structuredClone(view);
    fold(view, { ...released(1), runId: 'r1', seq: 3, at: 1, step: 'n1/a', node: 'n1' });
    expect(view).toEqual(before);
  });
  it('opens a run again with a new epoch, its failed steps waiting with all their attempts', () => {
    const view = play(plan, ...life('n1/a', 'failed'), { kind: 'NodeAbsent', node: 'n1', body: { lastSeenMs: 0, waitedMs: 1 } }, ended, {
      kind: 'RunResumed',
      body: { by: 'x', epoch: 4 },
    });
    expect(view).toMatchObject({ state: 'running', epoch: 4, result: null, endedAt: null });
    expect(view.absent.size).toBe(0);
    expect(view.steps.get('n1/a')).toMatchObject({ state: 'waiting', attempt: 1, attemptsSinceRetry: 0, retries: 1 });
  });
  it('names the node of a finding that names none', () => {
    const finding = { severity: 'blocker' as const, code: 'port.taken', message: 'm', remedy: 'r' };
    expect(play(plan, { kind: 'NodeChecked', node: 'n1', body: { findings: [finding], via: 'agent', reachable: true, message: '' } }).findings).toEqual([
      { ...finding, node: 'n1' },
    ]);
  });
});

describe('illegal transitions', () => {
  const cases: [string, NewEvent[]][] = [
    ['a release while an attempt is out', [released(1), released(2)]],
    ['a release that skips an attempt', [released(2)]],
    ['a release after done', [...life('n1/a', 'changed'), released(2)]],
    ['an order of a step that the plan lacks', life('n9/z')],
    ['a retry of what did not fail', [{ kind: 'StepRetried', step: 'n1/a', body: { by: 'x' } }]],
    ['anything but evidence and resuming after the end', [ended, { kind: 'CancelRequested', body: { by: 'x', reason: '' } }]],
    ['a second plan', [{ kind: 'RunPlanned', body: { plan } }]],
    ['resuming with an old epoch', [ended, { kind: 'RunResumed', body: { by: 'x', epoch: 1 } }]],
    ['undo before anything was done', [{ kind: 'OrderReleased', step: 'n1/a', node: 'n1', body: { attempt: 1, epoch: 1, action: 'undo', orderId: 'o' } }]],
  ];
  it.each(cases)('%s', (_, events) => expect(() => play(plan, ...events)).toThrow(IllegalTransition));
  it('name run, event, step and state', () => {
    expect(() => play(plan, released(1), released(2))).toThrow('run r1, event 4: OrderReleased (release) cannot happen to step n1/a while it is released');
  });
  it('lets evidence come after the end', () => {
    const view = play(
      plan,
      released(1),
      settled({ step: 'n1/a', node: 'n1', ...order(1) }, 'lost'),
      ended,
      settled({ step: 'n1/a', node: 'n1', ...order(1) }, 'changed'),
    );
    expect(view).toMatchObject({ state: 'ended', seq: 6 });
    expect(view.steps.get('n1/a')).toMatchObject({ state: 'failed', outcome: 'lost' });
  });
  it('come from one table in which done never goes back to running', () => {
    expect(Object.keys(stepTransitions.done).sort()).toEqual(['release-undo', 'resume']);
    expect(foldAll('r', []).state).toBe('checking');
  });
});
