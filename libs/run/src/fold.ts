import type { Action, EventBody, EventKind, Plan, RunEvent } from '@strata/model';
import { IllegalTransition, runTransitions, stepTransitions, type StepHappening } from './transitions';
import type { RunView, StepView } from './view';

/** The view of a run of which no event is known yet. */
export function emptyView(runId: string): RunView {
  return {
    runId, seq: 0, state: 'checking', intent: null, specVersion: 0, epoch: 0, plan: null, steps: new Map(), findings: [], pairs: null, absent: new Map(),
    cancelled: false, unwinding: false, result: null, because: '', startedAt: null, openedAt: null, endedAt: null,
  }; // prettier-ignore
}

/** Folds one event into a copy: the view that was given stays as it is. @throws IllegalTransition */
export function fold(view: RunView, event: RunEvent): RunView {
  return advanceView({ ...view, steps: new Map(view.steps), absent: new Map(view.absent), findings: [...view.findings] }, event);
}

/** Folds a ledger from its beginning. @throws IllegalTransition */
export function foldAll(runId: string, events: readonly RunEvent[]): RunView {
  const view = emptyView(runId);
  for (const event of events) advanceView(view, event);
  return view;
}

/**
 * Folds one event into a view that the caller owns, in constant time but for RunPlanned and RunResumed; step views are replaced, never changed in place.
 * Events at or before `view.seq` and events of unknown kinds change nothing (a gap is an unknown kind that a reader left out).
 * @throws IllegalTransition when the event cannot follow; the view is then as before.
 */
export function advanceView(view: RunView, event: RunEvent): RunView {
  if (event.seq <= view.seq) return view;
  if (!Object.hasOwn(appliers, event.kind)) {
    view.seq = event.seq;
    return view;
  }
  const next = runTransitions[view.state][event.kind];
  if (next === undefined) throw illegal(view, event);
  const apply = appliers[event.kind] as (view: RunView, event: RunEvent) => void;
  const state = view.state;
  apply(view, event);
  if (view.state === state) view.state = next;
  view.seq = event.seq;
  return view;
}

type Of<K extends EventKind> = Extract<RunEvent, { kind: K }>;
type Appliers = { [K in EventKind]: (view: RunView, event: Of<K>) => void };

const appliers: Appliers = {
  RunRequested: (view, event) => {
    if (view.intent !== null) throw illegal(view, event, 'it was requested before');
    view.intent = event.body.intent;
    view.specVersion = event.body.specVersion;
    view.epoch = event.body.epoch;
    view.startedAt = event.at;
  },
  NodeChecked: (view, event) => {
    const node = event.node;
    view.findings.push(...event.body.findings.map((f) => (node === null || f.node !== undefined ? f : { ...f, node })));
  },
  PairsProbed: (view, event) => {
    view.pairs = event.body.matrix;
    view.findings.push(...event.body.findings);
  },
  RunPlanned: (view, event) => {
    view.plan = event.body.plan;
    view.openedAt = event.at;
    for (const step of event.body.plan.steps) view.steps.set(step.key, freshStep(step.key, plannedAction(view, step.key) ?? step.action));
  },
  OrderReleased: (view, event) => {
    const step = stepOf(view, event);
    const { attempt, epoch, action, orderId } = event.body;
    const planned = plannedAction(view, step.key);
    const next = happen(view, event, step, action === planned ? 'release' : 'release-undo');
    if (attempt !== step.attempt + 1) throw illegal(view, event, `attempt ${attempt} after attempt ${step.attempt}`);
    view.steps.set(step.key, {
      ...step, state: next, attempt, epoch, action, orderId, outcome: null, result: null, progress: null, waitingFor: null, releasedAt: event.at,
      startedAt: null, endedAt: null, attemptsSinceRetry: action === step.action ? step.attemptsSinceRetry + 1 : 1,
    }); // prettier-ignore
  },
  OrderWaiting: (view, event) => inFlight(view, event, 'wait', () => ({ waitingFor: event.body.reason })),
  OrderStarted: (view, event) => inFlight(view, event, 'start', (step) => ({ startedAt: step.startedAt ?? event.at, waitingFor: null })),
  OrderProgressed: (view, event) =>
    inFlight(view, event, 'progress', (step) => ({
      startedAt: step.startedAt ?? event.at,
      waitingFor: null,
      progress: { fraction: further(step.progress?.fraction ?? null, event.body.fraction), note: event.body.note },
    })),
  OrderSettled: (view, event) => {
    const { outcome, result, late } = event.body;
    if (late) return;
    const well = outcome === 'satisfied' || outcome === 'changed';
    inFlight(view, event, well ? 'settle-well' : 'settle-badly', (step) => {
      const forward = step.state !== 'undoing';
      // What a lost or half-done attempt left behind is not known: it counts as changed, so that an unwind looks there.
      const mayHave = outcome === 'changed' || (outcome === 'lost' && step.action !== 'check') || (!well && result.before !== undefined);
      return {
        outcome,
        result,
        changed: step.changed || (forward && mayHave),
        before: step.before ?? (forward ? result.before : undefined),
        waitingFor: null,
        startedAt: step.startedAt ?? event.at,
        endedAt: event.at,
      };
    });
  },
  StepRetried: (view, event) => {
    const step = stepOf(view, event);
    view.steps.set(step.key, { ...step, state: happen(view, event, step, 'retry'), retries: step.retries + 1, attemptsSinceRetry: 0 });
  },
  NodeAbsent: (view, event) => void view.absent.set(nodeOf(view, event), event.at),
  NodeReturned: (view, event) => void view.absent.delete(nodeOf(view, event)),
  CancelRequested: (view, event) => {
    view.cancelled = true;
    view.because = `cancelled by ${event.body.by}${event.body.reason === '' ? '' : `: ${event.body.reason}`}`;
  },
  UnwindStarted: (view, event) => {
    view.unwinding = true;
    view.because = event.body.because;
  },
  RunHeld: (view, event) => void (view.because = event.body.because),
  RunResumed: (view, event) => {
    if (event.body.epoch <= view.epoch) throw illegal(view, event, `epoch ${event.body.epoch} is not above ${view.epoch}`);
    for (const step of view.steps.values()) {
      const next = happen(view, event, step, 'resume');
      const state = view.unwinding && step.state === 'failed' ? step.state : next; // while a run unwinds, a failed step waits for its undo, not for another go
      if (step.state === 'failed' || step.state === 'undo-failed')
        view.steps.set(step.key, { ...step, state, attemptsSinceRetry: 0, retries: step.retries + 1 });
    }
    Object.assign(view, { epoch: event.body.epoch, cancelled: false, result: null, because: '', endedAt: null, openedAt: event.at });
    view.absent.clear();
    view.state = view.unwinding ? 'unwinding' : 'running';
  },
  RunEnded: (view, event) => {
    view.result = event.body.result;
    view.because = event.body.because;
    view.endedAt = event.at;
  },
};

/** Applies an event of the current attempt of an order that is in flight; anything else about an order is late evidence and changes nothing. */
function inFlight(view: RunView, event: RunEvent, ...[happening, change]: [StepHappening, (step: StepView) => Partial<StepView>]): void {
  const body = event.body as EventBody<'OrderStarted'>;
  const step = stepOf(view, event);
  const current = body.attempt === step.attempt && body.epoch === step.epoch && body.action === step.action;
  if (!current || !isInFlight(step)) return;
  view.steps.set(step.key, { ...step, ...change(step), state: happen(view, event, step, happening) });
}

/** Whether an order of this step is out and has not settled. */
export const isInFlight = (step: StepView): boolean => step.state === 'released' || step.state === 'running' || step.state === 'undoing';

/** Progress never goes back within an attempt. */
const further = (known: number | null, told: number | null): number | null => (told === null ? known : Math.max(known ?? 0, Math.min(1, Math.max(0, told))));

function freshStep(key: string, action: Action): StepView {
  return {
    key, state: 'waiting', attempt: 0, epoch: 0, action, orderId: null, outcome: null, changed: false, result: null, before: undefined, progress: null,
    waitingFor: null, releasedAt: null, startedAt: null, endedAt: null, retries: 0, attemptsSinceRetry: 0,
  }; // prettier-ignore
}
const actions = new WeakMap<Plan, Map<string, Action>>();
/** What the plan wants of a step; of a dry run it wants a look where it would have something done. */
function plannedAction({ plan, intent }: RunView, key: string): Action | undefined {
  if (plan === null) return undefined;
  let known = actions.get(plan);
  if (known === undefined) actions.set(plan, (known = new Map(plan.steps.map((s) => [s.key, s.action]))));
  const planned = known.get(key);
  return planned === 'run' && intent?.dryRun === true ? 'check' : planned;
}
function happen(view: RunView, event: RunEvent, ...[step, happening]: [StepView, StepHappening]): StepView['state'] {
  const next = stepTransitions[step.state][happening];
  if (next === undefined)
    throw new IllegalTransition({ runId: view.runId, seq: event.seq, step: step.key, state: step.state, event: `${event.kind} (${happening})` });
  return next;
}
function stepOf(view: RunView, event: RunEvent): StepView {
  const step = event.step === null ? undefined : view.steps.get(event.step);
  if (step === undefined) throw illegal(view, event, event.step === null ? 'it names no step' : `the plan has no step ${event.step}`);
  return step;
}
function nodeOf(view: RunView, event: RunEvent): string {
  if (event.node === null) throw illegal(view, event, 'it names no node');
  return event.node;
}
const illegal = (view: RunView, event: RunEvent, why?: string): IllegalTransition =>
  new IllegalTransition({ runId: view.runId, seq: event.seq, step: event.step, state: view.state, event: event.kind, why });
