import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '@strata/tasks';

/** Real time, for tasks that run on this host. */
export const clock: Clock = {
  now: () => Date.now(),
  sleep: async (ms, signal) => {
    await sleep(ms, undefined, { signal }).catch(() => {
      throw signal?.reason instanceof Error ? signal.reason : new Error(`stopped: ${String(signal?.reason)}`);
    });
  },
};

/** The timers of this process, for the time of an order or a check. */
export const realTimers = { start: (ms: number, then: () => void) => setTimeout(then, ms), stop: (timer: NodeJS.Timeout) => clearTimeout(timer) };
