import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { join } from 'node:path';
import { localHost } from '@strata/host-local';
import { type Change } from '@strata/model';
import { changesOf, type Kept, runTask, tasks } from '@strata/tasks';
import { FirstBefores } from './befores';
import { journalForReading, keptOf } from './kept';
import type { Paths } from './paths';

export interface Left {
  step: string;
  why: string;
}
const clock = { now: () => Date.now(), sleep: (ms: number, signal?: AbortSignal) => sleep(ms, undefined, { signal }) };

/**
 * Takes everything back that this node's journal knows, the last change first, without any server: by the same undo that an uninstall of the server
 * orders. Without `force` it ends at the first step that cannot be taken back. @returns what could not be, and what is not as it was.
 */
export async function takeBack(paths: Paths, o: { force: boolean; say: (line: string) => void }): Promise<{ left: Left[]; changed: Change[] }> {
  const kept = await keptOf(paths, journalForReading(paths));
  const befores = new FirstBefores(join(paths.state, 'befores'));
  const left: Left[] = [];
  for (const k of [...kept].reverse()) {
    const why = await undo(k, paths, o.say);
    if (why === null) {
      o.say(`${k.step}: taken back`);
      await befores.drop(k.step);
      continue;
    }
    if (why === 'never') continue;
    o.say(`${k.step}: NOT taken back: ${why}`);
    left.push({ step: k.step, why });
    if (!o.force) break;
  }
  const now = await changesOf(localHost({ stateDir: paths.state }), kept).catch(() => []);
  return { left, changed: now.filter((c) => !c.restored && c.step !== 'join' && c.kind !== 'step' && c.kind !== 'artifact' && c.kind !== 'firewall') };
}

/** Null when it was taken back; `never` when the task has nothing to take back; else why not. */
async function undo(k: Kept, paths: Paths, say: (line: string) => void): Promise<string | null> {
  const task = tasks.get(k.task);
  if (!task) return `this agent has no task ${k.task}: use the agent that made the change`;
  if (!task.changes || typeof task.body.undo !== 'function') return 'never';
  const order = { orderId: `uninstall-${randomUUID()}`, attempt: 1 };
  const log: string[] = [];
  const ended = await runTask(
    task,
    { action: 'undo', input: k.input ?? {}, before: k.before },
    {
      ports: { host: localHost({ stateDir: paths.state, order }) },
      common: { clock, progress: () => undefined, log: (line) => void log.push(line), signal: AbortSignal.timeout(task.timeoutMs), secret: () => '' },
      journal: { storedBefore: () => undefined, before: () => Promise.resolve() },
    },
  );
  if (ended.outcome === 'changed' || ended.outcome === 'satisfied') {
    for (const line of log.filter((l) => l.startsWith('left'))) say(`${k.step}: ${line}`);
    return null;
  }
  const { failure } = ended.result;
  return [failure?.message ?? ended.outcome, failure?.remedy].filter(Boolean).join('; ');
}
