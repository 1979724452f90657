import type { Action } from '@strata/model';
import type { Common, Task } from '../define-task';
import { type Ended, type Ports, runTask, type TaskJournal } from '../run-task';
import { simulatedClock } from './clock';

/** A journal that lives as long as the test. One for each order; give the same again for a restarted agent. */
export function memoryJournal(): TaskJournal & { value: unknown } {
  const journal = {
    value: undefined as unknown,
    storedBefore: (): unknown => journal.value,
    before: async (value: unknown): Promise<void> => {
      journal.value = structuredClone(value);
      return Promise.resolve();
    },
  };
  return journal;
}
/** What every task is given beside its ports: a simulated clock, silence, no secrets unless given. */
export function quietCommon(secrets: Record<string, string> = {}): Common {
  return {
    clock: simulatedClock(),
    progress: () => undefined,
    log: () => undefined,
    signal: new AbortController().signal,
    secret: ({ $secret }) => {
      const value = secrets[$secret];
      if (value === undefined) throw new Error(`this test gave no secret ${$secret}`);
      return value;
    },
  };
}
/** One order on a memory machine, through the real life cycle. */
export async function tryTask(task: Task, ports: Ports, order: { action?: Action; input: unknown; before?: unknown; journal?: TaskJournal }): Promise<Ended> {
  const { action = 'run', input, before, journal = memoryJournal() } = order;
  return runTask(task, { action, input, before }, { ports, common: quietCommon(), journal });
}
