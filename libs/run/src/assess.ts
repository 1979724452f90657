import type { Plan, Step } from '@strata/model';
import { isInFlight } from './fold';
import { graphOf, isBeyond, takesBack } from './graph';
import type { SessionState, Situation } from './ports';
import type { RunView, StepView } from './view';

/**
 * Where a step stands, and what is in its way. `done` `flight` `ready` `need` `backoff` `node` `pool` may still move by themselves;
 * `failed` `held` `absent` `phase` `cancelled` `unwinding` `undone` may not.
 */
export type Standing =
  | { kind: 'done' | 'undone' | 'flight' | 'ready' | 'phase' | 'cancelled' | 'unwinding' | 'failed' }
  | { kind: 'need'; needs: readonly string[] }
  | { kind: 'held'; by: string } // the root: failed or absent
  | { kind: 'absent'; node: string; since: number }
  | { kind: 'node'; node: string; enrolled: boolean; lastSeen: number | null; absentAt: number }
  | { kind: 'backoff'; until: number }
  | { kind: 'pool'; pool: string; node: string | null };

const moving: ReadonlySet<Standing['kind']> = new Set(['flight', 'ready', 'need', 'backoff', 'node', 'pool']);
/** Whether this step may still move without anybody's help. */
export const mayMove = (standing: Standing): boolean => moving.has(standing.kind);

const firstBackoffMs = 1_000;
const longestBackoffMs = 30_000;
const lostAnew = 2; // a lost order spent nothing of its task's own attempts, but a node that loses every order must not be asked for ever

/** Whether a failed step may be released again without the operator: the failure says that it may pass, and attempts are left. */
export function mayRetry(view: StepView, step: Step): boolean {
  if (view.state !== 'failed' && view.state !== 'undo-failed') return false;
  if (view.attemptsSinceRetry === 0) return true; // the operator asked
  if (view.outcome === 'lost') return view.attemptsSinceRetry < step.attempts + lostAnew;
  return view.outcome !== 'cancelled' && view.result?.failure?.retry === true && view.attemptsSinceRetry < step.attempts;
}
/** When a failed step may be released again (ms): 1 s after its end, then 2 s, 4 s … at most 30 s. */
export function retryAt(view: StepView): number {
  if (view.attemptsSinceRetry === 0) return 0;
  return (view.endedAt ?? 0) + Math.min(longestBackoffMs, firstBackoffMs * 2 ** (view.attemptsSinceRetry - 1));
}

/** When a node that is silent counts as absent. `readyAt`: when the step that waits for it could have begun, which matters for a node that never came. */
export function absentAt(session: SessionState | undefined, at: { view: RunView; situation: Situation; readyAt: number }): number {
  const { view, situation, readyAt } = at;
  const heard = Math.max(session?.lastSeen ?? 0, view.openedAt ?? 0, situation.listeningSince, session?.enrolled ? 0 : readyAt);
  return heard + situation.nodeWaitMs;
}

/** Where steps stand that were asked before: what a later one may look at. */
export type Standings = ReadonlyMap<string, Standing>;

/** Asks each step of a plan once where it stands, in the given order of keys. */
export function standEach(plan: Plan, order: readonly string[], stand: (step: Step, before: Standings) => Standing): Map<string, Standing> {
  const { steps } = graphOf(plan);
  const standings = new Map<string, Standing>();
  for (const key of order) standings.set(key, stand(steps.get(key)!, standings));
  return standings;
}

/** Where each step of a plan stands, going forward. One pass in the order of needs. */
export function assess(plan: Plan, view: RunView, situation: Situation): Map<string, Standing> {
  return standEach(plan, graphOf(plan).sorted, stand);

  function stand(step: Step, standings: Standings): Standing {
    const v = view.steps.get(step.key)!;
    if (v.state === 'done') return { kind: 'done' };
    if (v.state === 'undone' || v.state === 'undo-failed') return { kind: 'undone' };
    if (isInFlight(v)) return inFlightStanding(step, view, situation);
    if (isBeyond(step, situation.until)) return { kind: 'phase' };
    if (v.state === 'failed' && !mayRetry(v, step)) return { kind: 'failed' };
    if (view.cancelled) return { kind: 'cancelled' };
    if (view.unwinding) return { kind: 'unwinding' };
    const unmet = unmetNeeds(step, standings);
    if (unmet !== null) return unmet;
    return atItsPlace(step, v);
  }
  function unmetNeeds(step: Step, standings: Standings): Standing | null {
    const needs: string[] = [];
    let beyond = false;
    for (const need of step.needs) {
      const there = standings.get(need)!;
      if (there.kind === 'done') continue;
      if (there.kind === 'held') return there;
      if (there.kind === 'failed' || there.kind === 'absent' || there.kind === 'undone') return { kind: 'held', by: need };
      if (there.kind === 'phase') beyond = true;
      needs.push(need);
    }
    if (beyond) return { kind: 'phase' };
    return needs.length === 0 ? null : { kind: 'need', needs };
  }
  function atItsPlace(step: Step, v: StepView): Standing {
    const since = step.node === null ? undefined : view.absent.get(step.node);
    if (step.node !== null && since !== undefined && (step.target === 'node' || !takesBack(plan))) return { kind: 'absent', node: step.node, since };
    if (v.state === 'failed' && retryAt(v) > situation.now) return { kind: 'backoff', until: retryAt(v) };
    return nodeStanding(step) ?? { kind: 'ready' };
  }
  function nodeStanding(step: Step): Standing | null {
    if (step.target === 'server' || step.node === null) return null;
    const session = situation.sessions.get(step.node);
    if (session?.connected && session.enrolled) return null;
    const readyAt = Math.max(0, ...step.needs.map((need) => view.steps.get(need)!.endedAt ?? 0));
    const deadline = absentAt(session, { view, situation, readyAt });
    return { kind: 'node', node: step.node, enrolled: session?.enrolled ?? false, lastSeen: session?.lastSeen ?? null, absentAt: deadline };
  }
}

/** An order in flight moves unless its node is absent; one whose node is silent will be judged at `absentAt`. */
export function inFlightStanding(step: Step, view: RunView, situation: Situation): Standing {
  if (step.target === 'server' || step.node === null) return { kind: 'flight' };
  const since = view.absent.get(step.node);
  if (since !== undefined) return { kind: 'absent', node: step.node, since };
  const session = situation.sessions.get(step.node);
  if (session?.connected) return { kind: 'flight' };
  const deadline = absentAt(session, { view, situation, readyAt: 0 });
  return { kind: 'node', node: step.node, enrolled: session?.enrolled ?? true, lastSeen: session?.lastSeen ?? null, absentAt: deadline };
}
