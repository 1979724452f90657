import type { Gate } from '@strata/model';
import type { Common } from '../define-task';
import type { Cluster } from '../ports/cluster';
import { TaskError } from '../task-error';
import { closedGate, type ClosedGate } from './gates';
import { replaceStuck } from './stuck-pods';
import { troubleOf } from './trouble';

type Context = Pick<Common, 'clock' | 'signal' | 'progress'> & { cluster: Cluster };
/** Causes are looked for less often than gates: each is several questions. */
const causeEveryMs = 3000;
/** What comes up fast is seen fast, since others wait for it; who has waited long can wait a little more. A look is one small question over a kept connection. */
const pauseMs = (waitedMs: number): number => Math.min(1_000, 75 + waitedMs / 20);
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
/** A StatefulSet that is stuck on a broken pod of before is helped over it. */
async function replaced({ cluster, clock, progress }: Context, { workload }: ClosedGate): Promise<void> {
  if (workload?.kind !== 'StatefulSet') return;
  const pod = await replaceStuck(cluster, clock, { name: workload.name, namespace: workload.namespace ?? 'default' }).catch(() => null); // it is looked at again
  if (pod !== null) progress(null, `${pod}, broken and of an earlier revision, is replaced`);
}
/** Waits until all gates are open. @throws TaskError `gate-closed` with the cause when they are not in time, at once where no waiting helps */
export async function awaitGates(c: Context, wait: { what: string; gates: readonly Gate[]; timeoutMs: number }): Promise<void> {
  const { clock, cluster, signal } = c;
  const began = clock.now();
  const end = began + wait.timeoutMs;
  let [words, causeAt] = ['', began + causeEveryMs]; // what has just begun has no cause yet
  for (;;) {
    const closed = await closedGate(cluster, wait.gates).catch(silent);
    if (closed === null) return;
    const over = closed.final || clock.now() >= end;
    if (over || clock.now() >= causeAt) {
      await replaced(c, closed);
      const now = await withCause(cluster, closed);
      if (now !== words) c.progress(null, now);
      [words, causeAt] = [now, clock.now() + causeEveryMs];
    } else if (words === '') c.progress(null, (words = closed.words));
    if (over)
      throw new TaskError('gate-closed', closed.final ? `${wait.what}: ${words}` : `waited ${Math.round(wait.timeoutMs / 1000)} s for ${wait.what}; ${words}`, { remedy, retry: !closed.final }); // prettier-ignore
    await clock.sleep(pauseMs(clock.now() - began), signal);
  }
}
