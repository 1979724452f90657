import type { Plan, Step } from '@strata/model';
import { inFlightStanding, mayRetry, retryAt, type Standing, standEach, type Standings } from './assess';
import { isInFlight } from './fold';
import { graphOf } from './graph';
import type { Situation } from './ports';
import type { RunView, StepView } from './view';

/** Whether an unwind takes this step back: this run changed something there, or cannot know. */
export const isToUndo = (step: StepView): boolean => step.changed || step.state === 'undo-failed';

/** Where each step stands while a run unwinds: taken back after everything that needs it, in the reverse order of needs. */
export function assessUnwind(plan: Plan, view: RunView, situation: Situation): Map<string, Standing> {
  const graph = graphOf(plan);
  return standEach(plan, graph.sorted.toReversed(), stand);

  function stand(step: Step, standings: Standings): Standing {
    const v = view.steps.get(step.key)!;
    if (isInFlight(v)) return inFlightStanding(step, view, situation);
    if (v.state === 'undo-failed' && !mayRetry(v, step)) return { kind: 'failed' };
    const waits: string[] = [];
    for (const key of graph.dependents.get(step.key) ?? []) {
      const there = standings.get(key)!;
      if (there.kind === 'undone') continue;
      if (there.kind === 'held') return there;
      if (there.kind === 'failed' || there.kind === 'absent') return { kind: 'held', by: key };
      if (there.kind === 'cancelled') return there;
      waits.push(key);
    }
    if (waits.length > 0) return { kind: 'need', needs: waits };
    // Nothing of ours, or taken back: whatever needs nothing of it is free.
    if (v.state === 'undone' || !isToUndo(v)) return { kind: 'undone' };
    if (view.cancelled) return { kind: 'cancelled' };
    return atItsPlace(step, v);
  }
  function atItsPlace(step: Step, v: StepView): Standing {
    if (step.target === 'node' && step.node !== null) {
      const since = view.absent.get(step.node);
      if (since !== undefined) return { kind: 'absent', node: step.node, since };
      const there = inFlightStanding(step, view, situation);
      if (there.kind !== 'flight') return there;
    }
    if (v.state === 'undo-failed' && retryAt(v) > situation.now) return { kind: 'backoff', until: retryAt(v) };
    return { kind: 'ready' };
  }
}
