import type { NewEvent, RunResult } from '@strata/model';
import { isInFlight } from './fold';
import type { RunView } from './view';

/** What the operator asked for cannot be done in the state that the run is in. `code` is stable. */
export class NotPossible extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly remedy: string,
  ) {
    super(message);
    this.name = 'NotPossible';
  }
}

/** One more go for a failed step. @throws NotPossible: run-ended, no-such-step, step-not-failed */
export function retryStep(view: RunView, step: string, by: string): NewEvent[] {
  if (view.state === 'ended')
    throw new NotPossible(
      'run-ended',
      `run ${view.runId} has ended (${view.result})`,
      `open it again, with all failed steps: strata runs resume ${view.runId}`,
    );
  const v = view.steps.get(step);
  if (v === undefined) throw new NotPossible('no-such-step', `run ${view.runId} has no step ${step}`, 'look up its steps: strata runs watch');
  if (v.state !== 'failed' && v.state !== 'undo-failed')
    throw new NotPossible(
      'step-not-failed',
      `step ${step} has not failed: it is ${v.state}`,
      isInFlight(v) ? 'wait for it, or cancel the run' : 'nothing is to be done for it',
    );
  return [{ kind: 'StepRetried', step, node: nodeOf(view, step), body: { by } }];
}

/** Stops a run: nothing new starts, what is in flight is told to stop. @throws NotPossible: run-ended. Empty when it was cancelled before. */
export function cancelRun(view: RunView, by: string, reason: string): NewEvent[] {
  if (view.state === 'ended')
    throw new NotPossible('run-ended', `run ${view.runId} has ended (${view.result}): there is nothing to cancel`, 'nothing is to be done');
  if (view.cancelled) return [];
  return [{ kind: 'CancelRequested', body: { by, reason } }];
}

const resumable: readonly RunResult[] = ['failed', 'degraded', 'cancelled'];
/**
 * Opens a run again that ended before everything was done, or one that is held: its failed steps get their attempts anew.
 * @param epoch a new one, above the run's. @throws NotPossible: run-open, run-complete, not-planned
 */
export function resumeRun(view: RunView, by: string, epoch: number): NewEvent[] {
  if (view.plan === null) throw new NotPossible('not-planned', `run ${view.runId} never had a plan`, 'start a new run: strata apply');
  if (view.state !== 'ended' && view.state !== 'held')
    throw new NotPossible('run-open', `run ${view.runId} is not at a standstill: it is ${view.state}`, 'watch it: strata runs watch');
  if (view.result !== null && !resumable.includes(view.result))
    throw new NotPossible('run-complete', `run ${view.runId} ended as ${view.result}: there is nothing to resume`, 'start a new run: strata apply');
  return [{ kind: 'RunResumed', body: { by, epoch } }];
}

const nodeOf = (view: RunView, step: string): string | null => view.plan?.steps.find((s) => s.key === step)?.node ?? null;
