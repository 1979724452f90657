/** `setTimeout` and its like, so that this stays pure. */
export interface Timers<T> {
  start(ms: number, then: () => void): T;
  stop(timer: T): void;
}
export interface Deadline {
  signal: AbortSignal;
  /** There was progress. */
  alive: () => void;
  end: () => void;
}

/** The time of one order: over `ms` after its beginning or, where that is how its task counts, after the last sign of progress. */
export function deadline<T>(from: 'start' | 'progress', ms: number, timers: Timers<T>): Deadline {
  const control = new AbortController();
  const over = (): void => control.abort(new Error(`the time of this step is over: ${Math.round(ms / 1000)} s ${from === 'start' ? 'since its beginning' : 'without progress'}`));
  let timer = timers.start(ms, over);
  return {
    signal: control.signal,
    alive: () => {
      if (from === 'start') return;
      timers.stop(timer);
      timer = timers.start(ms, over);
    },
    end: () => timers.stop(timer),
  };
} // prettier-ignore
