import type { Action, Failure, Finding, OrderResult, Outcome } from '@strata/model';
import type { CheckResult, Common, Task } from './define-task';
import type { Cluster, Control } from './ports/cluster';
import type { Host } from './ports/host';
import { isNoSpace } from './no-space';
import { TaskError } from './task-error';

/** What the life cycle tells the journal, each ahead of what follows; each must be durable when it resolves. */
export interface TaskJournal {
  /** The `before` of this order if an earlier life of it already journaled one. */
  storedBefore(): unknown;
  before(value: unknown): Promise<void>;
}
export interface Ports {
  host?: Host;
  cluster?: Cluster;
  control?: Control;
  node?: string | null;
}
export interface TaskOrder {
  action: Action;
  input: unknown;
  /** undo: what check found ahead of our first change. Undefined: we never changed anything. */
  before?: unknown;
}
export interface Ended {
  outcome: Outcome;
  result: OrderResult;
}

const findingsOf = (c: CheckResult<unknown, unknown>): Finding[] => c.findings ?? [];

/** Turns whatever was thrown into a failure that keeps its causes. */
export function failureOf(error: unknown, signal: AbortSignal): Failure {
  const causes: string[] = [];
  for (let e: unknown = error instanceof Error ? error.cause : undefined; e instanceof Error && causes.length < 5; e = e.cause) causes.push(e.message);
  if (error instanceof TaskError)
    return { code: error.code, message: error.message, remedy: error.remedy, cause: [...error.detail, ...causes].slice(0, 20), retry: error.retry };
  const message = error instanceof Error ? error.message : String(error);
  if (signal.aborted)
    return { code: 'timeout', message: `stopped: ${message}`, remedy: 'look at the log of this step, then retry it', cause: causes, retry: true };
  if (isNoSpace(error))
    return {
      code: 'disk-full',
      message,
      remedy: 'free space on that file system (`df -h`; `strata doctor` says which is full), then retry the step',
      cause: causes,
      retry: true,
    };
  return { code: 'internal', message, remedy: 'this is a fault of the task itself: report it with the log of this step', cause: causes, retry: true };
}

/**
 * The life of an order: check, journal `before`, apply, verify; or undo. Nothing else knows this sequence.
 * Never throws: a failure is an outcome. `result.output` is validated by the task's schema.
 */
export async function runTask(task: Task, order: TaskOrder, run: { ports: Ports; common: Common; journal: TaskJournal }): Promise<Ended> {
  const { common, journal } = run;
  const started = common.clock.now();
  const end = (outcome: Outcome, result: Partial<OrderResult>): Ended => ({
    outcome,
    result: { findings: [], ...result, durationMs: common.clock.now() - started },
  });
  const parsed = task.input.safeParse(order.input);
  if (!parsed.success) {
    const message = parsed.error.issues.map((i) => `${i.path.join('.')}: ${i.message}`).join('; ');
    return end('refused', {
      failure: {
        code: 'bad-input',
        message: `${task.name} was given an input it does not accept: ${message}`,
        remedy: 'plan again: server and agent may be of different versions',
        cause: [],
        retry: false,
      },
    });
  }
  const context = { ...common, ...run.ports, input: parsed.data } as never;
  try {
    return order.action === 'undo' ? await undo() : await forward();
  } catch (error) {
    if (common.signal.aborted && common.signal.reason === 'cancelled') return end('cancelled', { before: journal.storedBefore() });
    return end('failed', { failure: failureOf(error, common.signal), before: journal.storedBefore() });
  }

  /** A dry run's look at something that only a later step brings tells that; an apply fails with the cause. */
  async function look(): Promise<CheckResult<unknown, unknown>> {
    try {
      return await task.body.check(context);
    } catch (error) {
      if (order.action !== 'check' || !(error instanceof TaskError) || error.unknownUntil === undefined) throw error;
      return { state: 'unknown', until: error.unknownUntil };
    }
  }
  async function forward(): Promise<Ended> {
    const first = await look();
    const findings = findingsOf(first);
    const stored = journal.storedBefore();
    if (first.state === 'refused')
      return end('refused', {
        findings,
        failure: {
          code: 'check-refused',
          message: refusedWords(findings),
          remedy: findings.find((f) => f.severity === 'blocker')?.remedy ?? '',
          cause: [],
          retry: false,
        },
      });
    if (first.state === 'satisfied') {
      if (stored !== undefined) await task.body.verify?.({ ...(context as object), before: task.before.parse(stored) } as never); // an earlier life of this order changed it and died before it could say so
      return end(stored === undefined ? 'satisfied' : 'changed', { findings, output: task.output.parse(first.output), before: stored });
    }
    if (order.action === 'check')
      return end('satisfied', { findings, reason: first.state === 'unknown' ? `unknown until ${first.until}` : first.reason, output: undefined });
    if (first.state === 'unknown')
      throw new TaskError('check-unknown', `${task.name} cannot tell what is there before ${first.until}`, {
        remedy: 'retry the step after that',
        retry: true,
      });
    if (!task.changes) throw new TaskError('precheck', first.reason, { remedy: '' });
    const before = stored === undefined ? task.before.parse(first.before) : stored;
    if (stored === undefined) await journal.before(before);
    await task.body.apply({ ...(context as object), before } as never);
    await task.body.verify?.({ ...(context as object), before } as never);
    const after = await task.body.check(context);
    if (after.state === 'satisfied')
      return end('changed', { findings: findingsOf(after), output: task.output.parse(after.output), before, reason: first.reason });
    const words = after.state === 'unsatisfied' ? after.reason : after.state === 'unknown' ? `unknown until ${after.until}` : refusedWords(after.findings);
    throw new TaskError('verify-failed', `${task.name} was applied, but its check still says: ${words}`, {
      remedy: 'look at the log of this step; something else may be changing the same thing',
      retry: true,
    });
  }
  async function undo(): Promise<Ended> {
    if (order.before === undefined) return end('satisfied', { reason: 'nothing of ours to take back' });
    if (typeof task.body.undo !== 'function') return end('satisfied', { reason: `left as it is: ${task.body.undo.never}` });
    await task.body.undo({ ...(context as object), before: task.before.parse(order.before) } as never);
    return end('changed', { before: order.before });
  }
}
const refusedWords = (findings: readonly Finding[]): string =>
  findings
    .filter((f) => f.severity === 'blocker')
    .map((f) => f.message)
    .join('; ') || 'refused';
