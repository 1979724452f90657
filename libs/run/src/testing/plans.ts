import {
  orderIdOf,
  type Failure,
  type NewEvent,
  type OrderResult,
  type Outcome,
  type Plan,
  type PlanKind,
  type RunEvent,
  type RunIntent,
  type Step,
} from '@strata/model';
import { foldAll } from '../fold';
import type { SessionState, Situation } from '../ports';
import type { RunView } from '../view';

/** A step by its key and what differs from the usual: `n1/a` runs on n1, `cluster/x` on the server. */
export function stepOf(key: string, rest: Partial<Step> = {}): Step {
  const [node = '', task = ''] = key.split('@')[0]!.split('/');
  const cluster = node === 'cluster';
  return {
    key, task, version: 1, action: 'run', phase: 'install', layer: 'native', node: cluster ? null : node, target: cluster ? 'server' : 'node', input: {}, needs: [],
    pool: null, onFailure: 'hold-dependents', title: `${task} is in place`, timeoutMs: 60_000, attempts: 1, ...rest,
  }; // prettier-ignore
}
/** A plan of these steps; nodes are those that the steps name, n1 is the control plane. */
export function planOf(steps: readonly Step[], rest: { kind?: PlanKind; absent?: string[]; id?: string } = {}): Plan {
  const names = [...new Set(steps.map((s) => s.node).filter((n) => n !== null))];
  return {
    id: rest.id ?? 'plan-1', kind: rest.kind ?? 'install', clusterId: 'c1', specVersion: 1, factsDigest: '0'.repeat(64), catalogDigest: '0'.repeat(64),
    distribution: { kind: 'kubernetes', version: '1.37.2' }, nodes: names.map((name) => ({ name, role: name === 'n1' ? 'control-plane' : 'worker', nodeId: `id-${name}` })),
    steps: [...steps], skipped: [], absent: rest.absent ?? [], warnings: [],
  }; // prettier-ignore
}
/** The two events that every run begins with. */
export function opening(plan: Plan, intent: Partial<RunIntent> = {}): NewEvent[] {
  const full: RunIntent = { kind: plan.kind, nodes: [], dryRun: false, force: false, ...intent };
  return [
    { kind: 'RunRequested', body: { intent: full, specVersion: 1, epoch: 1, by: 'test' } },
    { kind: 'RunPlanned', body: { plan } },
  ];
}

export const failureOf = (message: string, retry = false): Failure => ({ code: 'program-failed', message, remedy: 'look at it', cause: [], retry });
export const resultOf = (rest: Partial<OrderResult> = {}): OrderResult => ({ findings: [], ...rest });
export const settled = (order: { step: string; node: string | null; attempt: number; epoch: number; action: 'run' | 'undo' | 'check' }, outcome: Outcome, result: Partial<OrderResult> = {}): NewEvent => ({
  kind: 'OrderSettled', step: order.step, node: order.node,
  body: { attempt: order.attempt, epoch: order.epoch, action: order.action, outcome, result: resultOf(result), late: false },
}); // prettier-ignore

/** A situation in which every node of the plan is connected and no pool is limited. */
export function situationOf(
  plan: Plan,
  rest: Partial<Omit<Situation, 'sessions'>> & { sessions?: Record<string, Partial<SessionState>>; pools?: Record<string, number> } = {},
): Situation {
  const { sessions = {}, pools = {}, ...others } = rest;
  const now = others.now ?? 0;
  const usual: SessionState = { connected: true, enrolled: true, lastSeen: now, openedAt: 0, holds: new Map() };
  return {
    now, sessions: new Map(plan.nodes.map((n) => [n.name, { ...usual, ...sessions[n.name] }])), poolFree: (pool) => pools[pool] ?? Infinity,
    nodeWaitMs: 120_000, onFailure: 'hold', listeningSince: 0, ...others,
  }; // prettier-ignore
}

/** Folds a plan's opening (at 0) and then events, each one second after the one before. */
export function play(plan: Plan, ...events: NewEvent[]): RunView {
  const all = [...opening(plan), ...events].map((e, i) => {
    const { kind, body } = e;
    return { kind, body, runId: 'r1', seq: i + 1, at: Math.max(0, i - 1) * 1000, step: e.step ?? null, node: e.node ?? null } as RunEvent;
  });
  return foldAll('r1', all);
}
/** The events of an order's life up to a point: released, started, and, if given, its end. */
export function life(
  step: string,
  end?: Outcome,
  more: { attempt?: number; epoch?: number; action?: 'run' | 'undo'; result?: Partial<OrderResult>; node?: string } = {},
): NewEvent[] {
  const order = { attempt: more.attempt ?? 1, epoch: more.epoch ?? 1, action: more.action ?? ('run' as const) };
  const name = step.split('/')[0]!;
  const node = more.node ?? (name === 'cluster' ? null : name);
  const events: NewEvent[] = [
    { kind: 'OrderReleased', step, node, body: { ...order, orderId: orderIdOf('r1', step, order.action) } },
    { kind: 'OrderStarted', step, node, body: order },
  ];
  if (end !== undefined) events.push(settled({ step, node, ...order }, end, more.result ?? (end === 'changed' ? { before: {} } : {})));
  return events;
}
