import type { Clock } from './ports/clock';
import { TaskError } from './task-error';

/**
 * Repeats `probe` until it gives a value other than null. Every wait says what for.
 * @throws TaskError `timeout` with the last words of `probe`'s `note`, after `timeoutMs`.
 */
export async function until<T>(
  clock: Clock,
  wait: { what: string; timeoutMs: number; everyMs: number; signal: AbortSignal; remedy: string; note?: () => string },
  probe: () => Promise<T | null>,
): Promise<T> {
  const deadline = clock.now() + wait.timeoutMs;
  for (;;) {
    const value = await probe();
    if (value !== null) return value;
    if (clock.now() >= deadline)
      throw new TaskError('timeout', `waited ${Math.round(wait.timeoutMs / 1000)} s for ${wait.what}${wait.note ? `; last seen: ${wait.note()}` : ''}`, {
        remedy: wait.remedy,
        retry: true,
      });
    await clock.sleep(wait.everyMs, wait.signal);
  }
}
