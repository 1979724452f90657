import type { Gate } from '@strata/model';
import type { Common } from '../define-task';
import type { Cluster } from '../ports/cluster';
import { TaskError } from '../task-error';
import { closedGate, type ClosedGate } from './gates';
import { troubleOf } from './trouble';

type Context = Pick<Common, 'clock' | 'signal' | 'progress'> & { cluster: Cluster };
/** Causes are looked for less often than gates: each is several questions. */
const causeEveryMs = 3000;
const remedy = 'mend what is named (`strata pods` shows all pods), then retry the step';

/** What is missing, with its cause. */
async function withCause(cluster: Cluster, { words, workload }: ClosedGate): Promise<string> {
  const cause = workload && (await troubleOf(cluster, workload).catch(() => null)); // the gate's own words say enough
  return cause ? `${words}; ${cause}` : words;
}

/** An API server that is away, as while it restarts, closes every gate until it is back. */
function silent(error: unknown): ClosedGate {
  if (error instanceof TaskError && error.retry) return { words: error.message, workload: null, final: false };
  throw error;
}
/** Waits until all gates are open. @throws TaskError `gate-closed` with the cause when they are not in time, at once where no waiting helps */
export async function awaitGates(c: Context, wait: { what: string; gates: readonly Gate[]; timeoutMs: number }): Promise<void> {
  const { clock, cluster, signal } = c;
  const end = clock.now() + wait.timeoutMs;
  let [words, causeAt] = ['', 0];
  for (;;) {
    const closed = await closedGate(cluster, wait.gates).catch(silent);
    if (closed === null) return;
    const over = closed.final || clock.now() >= end;
    if (over || clock.now() >= causeAt) {
      const now = await withCause(cluster, closed);
      if (now !== words) c.progress(null, now);
      [words, causeAt] = [now, clock.now() + causeEveryMs];
    }
    if (over)
      throw new TaskError('gate-closed', closed.final ? `${wait.what}: ${words}` : `waited ${Math.round(wait.timeoutMs / 1000)} s for ${wait.what}; ${words}`, { remedy, retry: !closed.final }); // prettier-ignore
    await clock.sleep(400, signal);
  }
}
