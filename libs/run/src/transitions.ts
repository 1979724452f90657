import type { EventKind } from '@strata/model';
import type { RunState, StepState } from './view';

/** What may happen to a step. An order event of an attempt that is not the current one never gets here: it is evidence, not a transition. */
export type StepHappening = 'release' | 'release-undo' | 'wait' | 'start' | 'progress' | 'settle-well' | 'settle-badly' | 'retry' | 'resume';

/** The one table of legal step transitions: state -> what happened -> next state. What is not here is illegal. */
export const stepTransitions: Readonly<Record<StepState, Partial<Record<StepHappening, StepState>>>> = {
  waiting: { release: 'released', resume: 'waiting' },
  released: { wait: 'released', start: 'running', progress: 'running', 'settle-well': 'done', 'settle-badly': 'failed', resume: 'released' },
  running: { wait: 'running', start: 'running', progress: 'running', 'settle-well': 'done', 'settle-badly': 'failed', resume: 'running' },
  done: { 'release-undo': 'undoing', resume: 'done' },
  failed: { release: 'released', 'release-undo': 'undoing', retry: 'waiting', resume: 'waiting' },
  undoing: { wait: 'undoing', start: 'undoing', progress: 'undoing', 'settle-well': 'undone', 'settle-badly': 'undo-failed', resume: 'undoing' },
  undone: { resume: 'undone' },
  'undo-failed': { 'release-undo': 'undoing', retry: 'undo-failed', resume: 'undo-failed' },
};

const orders = { OrderWaiting: true, OrderStarted: true, OrderProgressed: true, OrderSettled: true } as const;
const stays = <S extends RunState>(state: S, kinds: readonly EventKind[]): Partial<Record<EventKind, S>> =>
  Object.fromEntries(kinds.map((kind) => [kind, state]));
const anyOrder = Object.keys(orders) as (keyof typeof orders)[];
const planned: readonly EventKind[] = ['OrderReleased', ...anyOrder, 'NodeChecked', 'NodeAbsent', 'NodeReturned', 'CancelRequested'];

/** The one table of legal run transitions. `RunResumed` leads back to `unwinding` when the run ended while unwinding. */
export const runTransitions: Readonly<Record<RunState, Partial<Record<EventKind, RunState>>>> = {
  checking: { ...stays('checking', ['RunRequested', 'NodeChecked', 'PairsProbed', 'CancelRequested']), RunPlanned: 'running', RunEnded: 'ended' },
  running: { ...stays('running', planned), StepRetried: 'running', RunHeld: 'held', UnwindStarted: 'unwinding', RunEnded: 'ended' },
  held: { ...stays('held', planned), RunHeld: 'held', StepRetried: 'running', RunResumed: 'running', UnwindStarted: 'unwinding', RunEnded: 'ended' },
  unwinding: { ...stays('unwinding', planned), StepRetried: 'unwinding', RunEnded: 'ended' },
  ended: { ...stays('ended', anyOrder), RunResumed: 'running' },
};

/** An event that cannot follow what the ledger says so far. The ledger is append-only, so this is a fault of whoever appended it. */
export class IllegalTransition extends Error {
  readonly remedy = 'this run cannot be folded further: report it with `strata runs show` of this run; other runs are not affected';
  constructor(readonly at: { runId: string; seq: number; step: string | null; state: string; event: string; why?: string }) {
    const whose = at.step === null ? 'the run' : `step ${at.step}`;
    super(`run ${at.runId}, event ${at.seq}: ${at.event} cannot happen to ${whose} while it is ${at.state}${at.why === undefined ? '' : ` (${at.why})`}`);
    this.name = 'IllegalTransition';
  }
}
