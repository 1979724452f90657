import type { Clock } from '../ports/clock';

/** A clock that only moves when somebody sleeps on it, and so never makes a test wait. */
export function simulatedClock(startMs = Date.UTC(2026, 0, 1)): Clock & { advance(ms: number): void } {
  let now = startMs;
  return {
    now: () => now,
    advance: (ms) => void (now += ms),
    sleep: async (ms, signal) => {
      signal?.throwIfAborted();
      now += ms;
    },
  };
}
