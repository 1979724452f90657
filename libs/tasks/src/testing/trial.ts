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
const block = (name: string): string => `-----BEGIN ${name}-----\nAAAA\n-----END ${name}-----\n`;
/** Certificate, key and CA, in form only. */
export const sampleIdentity = [block('CERTIFICATE'), block('PRIVATE KEY'), block('CERTIFICATE')].join('');
/** Secrets that the samples of native tasks name. */
const samples: Record<string, string> = {
  'sample:identity': sampleIdentity,
  'sample:password': 'a password',
  'sample:hash': 'a0'.repeat(32),
};
/** What every task is given beside its ports: a simulated clock, silence, no secrets unless given. */
export function quietCommon(secrets: Record<string, string> = {}): Common {
  return {
    clock: simulatedClock(),
    progress: () => undefined,
    log: () => undefined,
    signal: new AbortController().signal,
    secret: ({ $secret }) => {
      const value = secrets[$secret] ?? samples[$secret];
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
