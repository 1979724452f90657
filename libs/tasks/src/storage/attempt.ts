import type { Finding } from '@strata/model';
import type { Common } from '../define-task';
import { until } from '../wait';

interface Trying<E> {
  what: string; // that is waited for
  remedy: string;
  /** The errors that are answers of the service; any other ends the try at once. */
  answer: new (...args: never[]) => E;
  isSilent: (error: E) => boolean;
  /** What an answer means; null where another try may help. */
  findingOf: (error: E) => Finding | null;
}

/**
 * Tries something with a service of somebody else's: gives a finding for what is refused for good; what may pass by itself is tried again for a while.
 * @throws TaskError when it does not pass
 */
export async function attempt<T, E extends Error>(
  c: Pick<Common, 'clock' | 'signal'>,
  { what, remedy, answer, isSilent, findingOf }: Trying<E>,
  call: () => Promise<T>,
): Promise<{ value: T } | { finding: Finding }> {
  let last: E | null = null;
  let silent = 0;
  const wait = { what, timeoutMs: 45_000, everyMs: 2000, signal: c.signal, remedy, note: () => last?.message ?? '' };
  return until(c.clock, wait, async () => {
    try {
      return { value: await call() };
    } catch (error) {
      if (!(error instanceof answer)) throw error;
      last = error;
      if (isSilent(error) && ++silent < 3) return null; // a line that broke once is no reason to refuse
      const finding = findingOf(error);
      return finding === null ? null : { finding };
    }
  });
}
