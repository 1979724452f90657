import { type Action, orderIdOf, type Plan, type RunResult, type Step } from '@strata/model';
import { isInFlight } from './fold';
import { graphOf } from './graph';
import type { Situation } from './ports';
import type { RunView, StepView } from './view';

/** One order, as moves name it. */
export interface OrderName {
  step: string;
  action: Action;
  attempt: number;
  epoch: number;
  orderId: string;
  node: string | null;
  target: 'node' | 'server';
}
/** What is to happen next. All but `cancel` become events of the ledger; `cancel` is said again until the order settles, so it must be harmless to repeat. */
export type Move =
  | { kind: 'release'; order: OrderName }
  | { kind: 'lost'; order: OrderName; because: string }
  | { kind: 'cancel'; order: OrderName; reason: string }
  | { kind: 'absent'; node: string; lastSeenMs: number; waitedMs: number }
  | { kind: 'returned'; node: string }
  | { kind: 'hold'; because: string }
  | { kind: 'unwind'; because: string }
  | { kind: 'end'; result: RunResult; because: string };

export const inFlightSteps = (plan: Plan, view: RunView): [Step, StepView][] => {
  const found: [Step, StepView][] = [];
  for (const [key, step] of graphOf(plan).steps) {
    const v = view.steps.get(key)!;
    if (isInFlight(v)) found.push([step, v]);
  }
  return found;
};
export const orderOf = (step: Step, v: StepView): OrderName => ({
  step: step.key,
  action: v.action,
  attempt: v.attempt,
  epoch: v.epoch,
  orderId: v.orderId ?? '',
  node: step.node,
  target: step.target,
});

/** The release of the next attempt of a step. */
export function releaseOf(step: Step, view: RunView, action: Action): Move {
  const v = view.steps.get(step.key)!;
  return {
    kind: 'release',
    order: { ...orderOf(step, v), action, attempt: v.attempt + 1, epoch: view.epoch, orderId: orderIdOf(view.runId, step.key, action) },
  };
}
/** Tells those who have an order of a cancelled run to stop; nodes that cannot be reached are told later. */
export function cancels(plan: Plan, view: RunView, situation: Situation): Move[] {
  const reachable = (step: Step): boolean => step.target === 'server' || (step.node !== null && situation.sessions.get(step.node)?.connected === true);
  return inFlightSteps(plan, view)
    .filter(([step]) => reachable(step))
    .map(([step, v]) => ({ kind: 'cancel', order: orderOf(step, v), reason: view.because }));
}

/** Orders that an agent took and, by the Hello of a later session, does not hold any more. */
export function lostOrders(plan: Plan, view: RunView, situation: Situation): Move[] {
  const moves: Move[] = [];
  for (const step of plan.steps) {
    const v = view.steps.get(step.key)!;
    if (step.target !== 'node' || step.node === null || v.startedAt === null || !isInFlight(v)) continue;
    const session = situation.sessions.get(step.node);
    if (!session?.connected || session.openedAt === null || session.openedAt <= v.startedAt) continue;
    if ((session.holds.get(v.orderId ?? '') ?? 0) >= v.attempt) continue;
    moves.push({ kind: 'lost', order: orderOf(step, v), because: `${step.node} came back and does not hold this order any more` });
  }
  return moves;
}
