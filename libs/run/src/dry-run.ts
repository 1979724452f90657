import { isOutputRef, type Plan, type Step } from '@strata/model';
import { inFlightStanding, mayMove, type Standing, standEach, type Standings } from './assess';
import { isInFlight } from './fold';
import { graphOf, isBeyond } from './graph';
import { cancels, lostOrders, type Move, orderOf, releaseOf } from './moves';
import type { Situation } from './ports';
import type { RunView } from './view';

/** What a dry run says of a step: nothing to do; something, and why; it cannot be told, and why; it would be refused. */
export type Look = { kind: 'as-it-is' } | { kind: 'would-change' | 'unknown' | 'refused'; because: string };

/**
 * What was found of a step in a dry run. A look never changes anything, so what only a later step brings cannot be seen yet.
 * @param view of a run whose intent is a dry run
 */
export function lookOf(plan: Plan, view: RunView, step: Step): Look {
  const v = view.steps.get(step.key);
  if (step.action === 'undo') return { kind: 'would-change', because: 'it is taken back' };
  if (v?.state === 'done') {
    if (v.result?.output !== undefined) return { kind: 'as-it-is' };
    const because = v.result?.reason ?? '';
    return because.startsWith('unknown until ') ? { kind: 'unknown', because } : { kind: 'would-change', because };
  }
  if (v?.state === 'failed') return { kind: v.outcome === 'refused' ? 'refused' : 'unknown', because: v.result?.failure?.message ?? 'no answer came' };
  const first = outputsOf(step.input).find((key) => view.steps.get(key)?.result?.output === undefined);
  if (first !== undefined) return { kind: 'unknown', because: `unknown until step ${first}` };
  const isNew = step.node !== null && plan.nodes.find((n) => n.name === step.node)?.nodeId === null;
  if (isNew) return step.target === 'server' ? { kind: 'would-change', because: 'the node is new' } : { kind: 'unknown', because: `unknown until step ${step.node ?? ''}/agent.install` };
  return { kind: 'unknown', because: step.node === null ? 'it was not looked at' : `${step.node} could not be asked` };
} // prettier-ignore

/** Where each step of a dry run stands: all is looked at that can be, in the order of needs, whatever the looks before it said. */
export function assessLooks(plan: Plan, view: RunView, situation: Situation): Map<string, Standing> {
  return standEach(plan, graphOf(plan).sorted, stand);

  function stand(step: Step, standings: Standings): Standing {
    const v = view.steps.get(step.key)!;
    if (v.state === 'done') return { kind: 'done' };
    if (isInFlight(v)) return inFlightStanding(step, view, situation);
    if (v.state === 'failed') return { kind: 'failed' };
    if (view.cancelled) return { kind: 'cancelled' };
    if (v.action !== 'check' || isBeyond(step, situation.until) || !hasSomebodyToLook(step)) return { kind: 'phase' };
    const needs = step.needs.filter((need) => mayMove(standings.get(need)!));
    if (needs.length > 0) return { kind: 'need', needs };
    const given = outputsOf(step.input).every((key) => view.steps.get(key)?.result?.output !== undefined);
    return { kind: given ? 'ready' : 'phase' };
  }
  /** A server's step of a node whose agent is not there yet has nothing to look at either. */
  function hasSomebodyToLook(step: Step): boolean {
    if (step.node === null) return true;
    const session = situation.sessions.get(step.node);
    return session?.enrolled === true && (step.target === 'server' || session.connected);
  }
}

/** The moves of a dry run: one look a step, none twice. */
export function lookMoves(plan: Plan, view: RunView, world: { situation: Situation; standings: Map<string, Standing> }): Move[] {
  const { situation, standings } = world;
  const lost = [...lostOrders(plan, view, situation), ...silent()];
  if (lost.length > 0) return lost;
  if (![...standings.values()].some(mayMove)) return [endOfLooks(plan, view)];
  if (view.cancelled) return cancels(plan, view, situation);
  return plan.steps.filter((s) => standings.get(s.key)?.kind === 'ready').map((step) => releaseOf(step, view, 'check'));

  /** Orders of nodes that went away for too long while they looked. */
  function silent(): Move[] {
    return plan.steps.flatMap((step): Move[] => {
      const standing = standings.get(step.key);
      if (standing?.kind !== 'node' || standing.absentAt > situation.now) return [];
      return [{ kind: 'lost', order: orderOf(step, view.steps.get(step.key)!), because: `${standing.node} went away while it looked` }];
    });
  }
}

function endOfLooks(plan: Plan, view: RunView): Move {
  if (view.cancelled) return { kind: 'end', result: 'cancelled', because: `${view.because}; nothing was changed` };
  if (view.intent?.until === 'precheck') return { kind: 'end', result: 'planned', because: 'nothing speaks against an install; nothing was changed' };
  const count = { 'as-it-is': 0, 'would-change': 0, unknown: 0, refused: 0 };
  for (const step of plan.steps) count[lookOf(plan, view, step).kind] += 1;
  const some: [number, string][] = [
    [count['as-it-is'], 'as they should be'],
    [count['would-change'], 'would change something'],
    [count.unknown, 'cannot be told before others were done'],
    [count.refused, 'would be refused'],
  ];
  const words = some.filter(([n]) => n > 0).map(([n, what]) => `${n} ${what}`).join(', '); // prettier-ignore
  return {
    kind: 'end',
    result: 'planned',
    because: `a dry run: of ${plan.steps.length} steps ${words === '' ? 'none is needed' : words}; nothing was changed`,
  };
}

/** Keys of the steps whose outputs an input holds. */
function outputsOf(input: unknown): string[] {
  if (isOutputRef(input)) return [input.$output];
  return typeof input === 'object' && input !== null ? Object.values(input).flatMap(outputsOf) : [];
}
