import type { Plan, Step, Wait } from '@strata/model';
import { assess, mayMove, type Standing } from './assess';
import { assessLooks, lookMoves } from './dry-run';
import { endOf } from './end-of-run';
import { explainWaits } from './explain-wait';
import { isInFlight } from './fold';
import { graphOf, takesBack } from './graph';
import { cancels, inFlightSteps, lostOrders, type Move, orderOf, releaseOf } from './moves';
import type { Situation } from './ports';
import { assessUnwind, isToUndo } from './unwind';
import type { RunView } from './view';

export interface Decision {
  moves: readonly Move[];
  /** Where each step stands after these moves are known, for those who show it. */
  standings: ReadonlyMap<string, Standing>;
  /** Why each step that does not move does not. Put into words when first asked for. */
  readonly waits: readonly Wait[];
  /** When to decide again if nothing happens until then (ms); null: only an event changes anything. */
  wakeAt: number | null;
}

/**
 * What is to happen next in a run: the only place that starts work. Pure: the same plan, view and situation give the same moves.
 * Moves of one decision are appended together; after that, decide again.
 */
export function decide(plan: Plan, view: RunView, situation: Situation): Decision {
  if (view.state === 'ended') return { moves: [], standings: new Map(), waits: [], wakeAt: null };
  const only = view.intent?.dryRun === true;
  const standings = only ? assessLooks(plan, view, situation) : view.unwinding ? assessUnwind(plan, view, situation) : assess(plan, view, situation);
  const moves = (only ? lookMoves : movesOf)(plan, view, { situation, standings });
  let waits: readonly Wait[] | undefined;
  return {
    moves,
    standings,
    wakeAt: moves.some((m) => m.kind === 'end') ? null : wakeAt(standings, situation.now),
    get waits() {
      return (waits ??= explainWaits(plan, view, { standings, situation }));
    },
  };
}

function movesOf(plan: Plan, view: RunView, world: { situation: Situation; standings: Map<string, Standing> }): Move[] {
  const { situation, standings } = world;
  // First what is known about nodes and orders; everything else is decided with that known.
  const known = [...presence(view, world), ...lostOrders(plan, view, situation)];
  if (known.length > 0) return known;
  const failed = plan.steps.filter((s) => standings.get(s.key)?.kind === 'failed');
  const unwinding = failed.length > 0 ? unwindMove(plan, view, { situation, failed }) : null;
  if (unwinding !== null) return [unwinding];

  const moves: Move[] = view.cancelled ? cancels(plan, view, situation) : releases(plan, view, world);
  const moving = [...standings.values()].some(mayMove);
  if (!moving) return [...stranded(plan, view), endOf(plan, view, standings)];
  if (!view.unwinding && !view.cancelled && failed.length > 0) {
    const because = heldWords(failed, view);
    if (view.state !== 'held' || view.because !== because) moves.push({ kind: 'hold', because });
  }
  return moves;
}

/** Nodes that came back, and nodes that were silent for too long while something waits for them. */
function presence(view: RunView, world: { situation: Situation; standings: Map<string, Standing> }): Move[] {
  const { situation, standings } = world;
  const moves: Move[] = [];
  for (const node of view.absent.keys()) {
    const session = situation.sessions.get(node);
    if (session?.connected && session.enrolled) moves.push({ kind: 'returned', node });
  }
  const gone = new Set<string>();
  for (const standing of standings.values()) {
    if (standing.kind !== 'node' || standing.absentAt > situation.now || gone.has(standing.node)) continue;
    gone.add(standing.node);
    const lastSeenMs = standing.lastSeen ?? view.startedAt ?? 0;
    moves.push({ kind: 'absent', node: standing.node, lastSeenMs, waitedMs: situation.now - lastSeenMs });
  }
  return moves;
}

/** What is still out on absent nodes when the run ends: a run that ended has nothing in flight. */
const stranded = (plan: Plan, view: RunView): Move[] =>
  inFlightSteps(plan, view).map(([step, v]) => ({
    kind: 'lost',
    order: orderOf(step, v),
    because: `${step.node ?? 'its node'} was absent when the run ended`,
  }));

function releases(plan: Plan, view: RunView, world: { situation: Situation; standings: Map<string, Standing> }): Move[] {
  const { situation, standings } = world;
  const used = new Map<string, number>();
  const placeOf = (step: Step): { pool: string; node: string | null; key: string } | null => {
    if (step.pool === null) return null;
    const node = step.target === 'node' ? step.node : null;
    return { pool: step.pool, node, key: `${node ?? ''}/${step.pool}` };
  };
  const take = (key: string): void => void used.set(key, (used.get(key) ?? 0) + 1);
  for (const [step] of inFlightSteps(plan, view)) {
    const place = placeOf(step);
    if (place) take(place.key);
  }
  const moves: Move[] = [];
  // who has most behind it gets a pool's place first: what the others wait for is not held up by what nobody needs yet
  const { behind } = graphOf(plan);
  const ready = plan.steps.filter((step) => standings.get(step.key)?.kind === 'ready');
  const pooled = ready.filter((s) => s.pool !== null).sort((a, b) => (behind.get(b.key) ?? 0) - (behind.get(a.key) ?? 0));
  for (const step of [...ready.filter((s) => s.pool === null), ...pooled]) {
    const place = placeOf(step);
    if (place) {
      if ((used.get(place.key) ?? 0) >= situation.poolFree(place.pool, place.node)) {
        standings.set(step.key, { kind: 'pool', pool: place.pool, node: place.node });
        continue;
      }
      take(place.key);
    }
    moves.push(releaseOf(step, view, view.unwinding ? 'undo' : step.action));
  }
  return moves;
}

/** The move to the unwinding, once, when a step failed for good and the policy or the step wants it; not when nothing was changed. */
function unwindMove(plan: Plan, view: RunView, what: { situation: Situation; failed: readonly Step[] }): Move | null {
  if (view.unwinding || view.cancelled || takesBack(plan)) return null;
  const cause = what.failed.find((s) => s.onFailure === 'unwind' || what.situation.onFailure === 'unwind');
  if (cause === undefined) return null;
  const some = [...view.steps.values()].some((v) => isToUndo(v) || isInFlight(v));
  return some ? { kind: 'unwind', because: `${failureWords(cause, view)}; what this run changed is taken back` } : null;
}

const failureWords = (step: Step, view: RunView): string => {
  const v = view.steps.get(step.key)!;
  return `${step.key} failed: ${v.result?.failure?.message ?? v.outcome ?? 'no reason was given'}`;
};
const heldWords = (failed: readonly Step[], view: RunView): string =>
  `${failed.map((s) => failureWords(s, view)).join('; ')}; what needs it waits, everything else goes on`;

function wakeAt(standings: ReadonlyMap<string, Standing>, now: number): number | null {
  let at: number | null = null;
  for (const standing of standings.values()) {
    const then = standing.kind === 'backoff' ? standing.until : standing.kind === 'node' ? standing.absentAt : null;
    if (then !== null && then > now && (at === null || then < at)) at = then;
  }
  return at;
}
