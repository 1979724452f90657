import { setTimeout as sleep } from 'node:timers/promises';
import { isSecretRef, type OrderResult, type Outcome, sealedOutputContext, type SecretRef } from '@strata/model';
import { sealTo } from '@strata/pki';
import { type Clock, deadline, type Ended, failureOf, type Host, isNoSpace, runTask, sealedFields, type Task, tasks } from '@strata/tasks';
import type { FirstBefores } from './befores';
import type { Held, Journal } from './journal';
import { rightNow, stepTakenBack, stepWrote } from './keep-written';

export const realClock: Clock = { now: () => Date.now(), sleep: (ms, signal) => sleep(ms, undefined, { signal }) };

export const realTimers = { start: (ms: number, then: () => void) => setTimeout(then, ms), stop: (timer: NodeJS.Timeout) => clearTimeout(timer) };

export interface Execution {
  journal: Journal;
  befores: FirstBefores;
  /** `log`: what programs say meanwhile that is worth keeping. */
  host: (order: { orderId: string; attempt: number }, log: (line: string) => void) => Host;
  boxKey: Buffer;
  /** The control server's clock in ms, by our monotonic one; null before the first Welcome. */
  serverNow?: () => number | null;
  progress: (fraction: number | null, note: string) => void;
  log: (stream: string, line: string) => void;
}

/** Whether any field of an input is a reference to a secret. */
export function wantsSecrets(value: unknown): boolean {
  if (isSecretRef(value)) return true;
  return typeof value === 'object' && value !== null && Object.values(value).some(wantsSecrets);
}

/** Replaces the secret fields of an output by boxes that only the server opens. Nothing is journaled before that. */
function sealOutput(task: Task, ended: { orderId: string; result: OrderResult }, boxKey: Buffer): OrderResult {
  const fields = sealedFields(task);
  const { output } = ended.result;
  if (fields.length === 0 || typeof output !== 'object' || output === null) return ended.result;
  const values = output as Record<string, unknown>;
  const boxes = fields
    .filter((f) => typeof values[f] === 'string')
    .map((f) => [f, sealTo(boxKey, Buffer.from(values[f] as string), sealedOutputContext(ended.orderId, f))]);
  return { ...ended.result, output: { ...values, ...Object.fromEntries(boxes) } };
}

/**
 * What undo goes back to. An uninstall means the first `before` this node ever kept. An unwind brings this run's own; null when its outcome was lost
 * on the way: then only what this machine itself kept of the same run counts, never an earlier run's.
 */
async function beforeOf({ body }: Held, { befores, journal }: Pick<Execution, 'befores' | 'journal'>): Promise<unknown> {
  if (body.action !== 'undo') return undefined;
  if (body.before !== undefined && body.before !== null) return body.before;
  const first = await befores.get(body.step);
  if (body.before === undefined) return first?.before;
  const own = journal.all().find((h) => h.body.runId === body.runId && h.body.step === body.step && h.body.action === 'run')?.before;
  return own ?? (first?.runId === body.runId ? first.before : undefined);
}

const spaceLookMs = 2_000;
/** Journals it as soon as the disk has space: meanwhile the order says what it waits for, and the agent lives on. @throws what else goes wrong */
export async function whenThereIsSpace<T>(write: () => T, o: Pick<Execution, 'progress' | 'log'> & { lookMs?: number }): Promise<T> {
  for (let told = false; ; told = true) {
    try {
      return write();
    } catch (error) {
      if (!isNoSpace(error)) throw error;
      const { message } = error as Error;
      if (!told) o.log('agent', `waiting for space: ${message}`);
      o.progress(null, `waiting for space: ${message}`);
    }
    await sleep(o.lookMs ?? spaceLookMs);
  }
}

/**
 * Runs one accepted order to its end and journals the outcome. Never throws but for a journal that cannot be written; a full disk is waited for.
 * @param secrets values by reference name; never journaled.
 */
export async function executeOrder(held: Held, secrets: ReadonlyMap<string, string>, run: Execution & { signal: AbortSignal }): Promise<Held> {
  const { body } = held;
  const { journal, befores } = run;
  const settle = (outcome: Outcome, result: OrderResult): Promise<Held> => whenThereIsSpace(() => journal.settled(body.orderId, { outcome, result }), run);
  const task = tasks.get(body.task);
  if (!task)
    return settle('refused', {
      findings: [],
      failure: {
        code: 'unknown-task',
        message: `this agent has no task ${body.task}`,
        remedy: 'update the agent, then retry the step',
        cause: [],
        retry: false,
      },
    });
  const limit = deadline(task.timeoutFrom, body.timeoutMs, realTimers);
  const signal = AbortSignal.any([run.signal, limit.signal]);
  if (held.state === 'accepted') await whenThereIsSpace(() => journal.running(body.orderId), run);
  const keep = (before: unknown): Promise<void> => befores.keep({ step: body.step, runId: body.runId, task: body.task, before, input: body.input });
  let ended: Ended;
  const host = run.host({ orderId: body.orderId, attempt: body.attempt }, (line) => run.log('program', line));
  let wasRight: ReadonlySet<string> = new Set();
  try {
    if (body.action === 'run' && held.before !== undefined) await keep(held.before); // an earlier life may have died between the two
    const before = await beforeOf(held, run);
    if (body.action === 'undo') wasRight = await rightNow(host);
    ended = await runTask(
      task,
      { action: body.action, input: body.input, before },
      {
        ports: { host },
        common: {
          clock: realClock,
          progress: (fraction, note) => {
            limit.alive();
            run.progress(fraction, note);
          },
          log: (line) => run.log('task', line),
          signal,
          serverNow: run.serverNow,
          secret: (ref: SecretRef) => {
            const value = secrets.get(ref.$secret);
            if (value === undefined) throw new Error(`the order came without the secret ${ref.$secret}`);
            return value;
          },
        },
        journal: {
          storedBefore: () => journal.get(body.orderId)?.before,
          before: async (value) => {
            journal.before(body.orderId, value);
            await keep(value);
            wasRight = await rightNow(host);
          },
        },
      },
    );
    if (body.action === 'undo' && ended.outcome === 'changed') await forget(held, befores);
    await remember(held, { ended, befores, host, wasRight }).catch((error: Error) =>
      run.log('agent', `what this step wrote is not kept for the doctor: ${error.message}`),
    );
    ended = { outcome: ended.outcome, result: sealOutput(task, { orderId: body.orderId, result: ended.result }, run.boxKey) };
  } catch (error) {
    ended = { outcome: 'failed', result: { findings: [], failure: failureOf(error, signal) } };
  } finally {
    limit.end();
  }
  return settle(ended.outcome, ended.result);
}
/** How this step's files are now that it ended well: by this the doctor knows later what somebody else changed. */
async function remember({ body }: Held, o: { ended: Ended; befores: FirstBefores; host: Host; wasRight: ReadonlySet<string> }): Promise<void> {
  const { step, task } = body;
  const { outcome, result } = o.ended;
  if (body.action === 'undo' && outcome === 'changed') return stepTakenBack(o.host, { step, wasRight: o.wasRight });
  if (body.action !== 'run' || (outcome !== 'changed' && outcome !== 'satisfied')) return;
  const befores = [(await o.befores.get(step))?.before, result.before].filter((b) => b !== undefined && b !== null);
  if (befores.length > 0) await stepWrote(o.host, { step, task, befores, wasRight: o.wasRight });
}
/** After an undo: an uninstall forgets the first `before`; an unwind only if its own run made it. */
async function forget(held: Held, befores: FirstBefores): Promise<void> {
  const first = await befores.get(held.body.step);
  if (first && (held.body.before === undefined || first.runId === held.body.runId)) await befores.drop(held.body.step);
}
