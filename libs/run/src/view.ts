import type { Action, Finding, OrderResult, Outcome, PairMatrix, Plan, RunIntent, RunResult } from '@strata/model';

/**
 * Where a step stands. waiting: not released. released: an order is out, not begun. running: begun.
 * done: satisfied, changed or skipped work. failed: settled otherwise; held until retried. undone: taken back by an unwind.
 */
export type StepState = 'waiting' | 'released' | 'running' | 'done' | 'failed' | 'undoing' | 'undone' | 'undo-failed';

export interface StepView {
  key: string;
  state: StepState;
  attempt: number; // 0: never released
  epoch: number;
  action: Action;
  orderId: string | null;
  outcome: Outcome | null;
  /** Whether this run changed something here, or may have (a lost order): what an unwind takes back. */
  changed: boolean;
  result: OrderResult | null;
  /** What check found ahead of this run's first change here. */
  before: unknown;
  progress: { fraction: number | null; note: string } | null;
  waitingFor: string | null; // OrderWaiting's words
  releasedAt: number | null;
  startedAt: number | null;
  endedAt: number | null;
  retries: number; // by the operator: each allows the task's attempts anew
  attemptsSinceRetry: number;
}
export type RunState = 'checking' | 'running' | 'held' | 'unwinding' | 'ended';
export interface RunView {
  runId: string;
  seq: number; // of the last event folded
  state: RunState;
  intent: RunIntent | null;
  specVersion: number;
  epoch: number;
  plan: Plan | null;
  steps: Map<string, StepView>;
  findings: Finding[]; // of first contact, all nodes
  pairs: PairMatrix | null; // who reaches whom, as tried at first contact
  absent: Map<string, number>; // node -> since (ms)
  cancelled: boolean;
  unwinding: boolean;
  result: RunResult | null;
  because: string;
  startedAt: number | null;
  /** When it was planned or last resumed: no node is called absent for silence before that. */
  openedAt: number | null;
  endedAt: number | null;
}
