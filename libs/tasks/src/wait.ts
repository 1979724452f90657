import type { Clock } from './ports/clock';
import { TaskError } from './task-error';

/**
 * Repeats `probe` until it gives a value other than null. Every wait says what for. A cluster's API that does not answer for a moment, as on a busy
 * machine, ends no wait: it is asked again.
 * @throws TaskError `code` (`timeout` where none is given) with the last words of `probe`'s `note`, after `timeoutMs`.
 */
export async function until<T>(
  clock: Clock,
  wait: { what: string; timeoutMs: number; everyMs: number; signal: AbortSignal; remedy: string; note?: () => string; code?: string },
  probe: () => Promise<T | null>,
): Promise<T> {
  const deadline = clock.now() + wait.timeoutMs;
  for (;;) {
    let away: string | null = null;
    const value = await probe().catch((error: unknown) => {
      if (!(error instanceof TaskError && error.code === 'cluster-unreachable')) throw error;
      away = error.message;
      return null;
    });
    if (value !== null) return value;
    if (clock.now() >= deadline)
      throw new TaskError(wait.code ?? 'timeout', `waited ${Math.round(wait.timeoutMs / 1000)} s for ${wait.what}${lastSeen(away, wait.note)}`, {
        remedy: wait.remedy,
        retry: true,
      });
    await clock.sleep(wait.everyMs, wait.signal);
  }
}
function lastSeen(away: string | null, note: (() => string) | undefined): string {
  if (away !== null) return `; ${away}`;
  return note ? `; last seen: ${note()}` : '';
}
