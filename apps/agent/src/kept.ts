import { join } from 'node:path';
import type { Kept } from '@strata/tasks';
import { FirstBefores } from './befores';
import { type Held, Journal } from './journal';
import type { Paths } from './paths';

/** What every task kept ahead of its first change, oldest first, with what it was asked for: from the journal where an older agent kept no input. */
export async function keptOf(paths: Paths, journal: Pick<Journal, 'all'>): Promise<Kept[]> {
  const all = await new FirstBefores(join(paths.state, 'befores')).all();
  const asked = (step: string): Held | undefined => journal.all().findLast((h) => h.body.step === step && h.body.action === 'run');
  return all.map(({ step, task, before, input, at }) => ({ step, task, before, at, input: input ?? asked(step)?.body.input }));
}
/** The journal of an agent that may run meanwhile: it is only read. A damaged one holds nothing. */
export function journalForReading(paths: Paths): Pick<Journal, 'all'> {
  try {
    return Journal.read(join(paths.state, 'journal.jsonl'));
  } catch {
    return { all: () => [] };
  }
}
