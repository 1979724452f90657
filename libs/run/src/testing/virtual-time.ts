interface Due {
  at: number;
  turn: number;
  run: () => void | Promise<void>;
}
/** A promise that never settles: where the work of a process waits that died. */
export const forever = <T>(): Promise<T> => new Promise<T>(() => undefined);

/** Numbers from 0 to 1 that look random and are the same for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Time that moves only from one thing due to the next. The same seed and the same work give the same history. */
export class VirtualTime {
  private readonly queue: Due[] = [];
  private turn = 0;
  private current = 1_000_000;
  private failure: Error | null = null;
  readonly random: () => number;

  /** @param flush resolves when all promises that can settle have: `() => new Promise((r) => setImmediate(r))`. */
  constructor(
    seed: number,
    private readonly flush: () => Promise<void>,
  ) {
    this.random = seeded(seed);
  }
  now = (): number => this.current;
  /** A whole number of milliseconds between two bounds. */
  between(from: number, to: number): number {
    return from + Math.floor(this.random() * (to - from + 1));
  }
  /** Does something after a while. What it throws ends the simulation. */
  after(ms: number, run: Due['run']): void {
    const due = { at: this.current + Math.max(0, ms), turn: this.turn++, run };
    let i = this.queue.length;
    while (i > 0 && before(due, this.queue[i - 1]!)) i--;
    this.queue.splice(i, 0, due);
  }
  /** Resolves after `ms` if `alive` still says so then, else never; rejects with the signal's reason when it fires. */
  sleep(ms: number, options: { alive: () => boolean; signal?: AbortSignal }): Promise<void> {
    return new Promise((resolve, reject) => {
      const { alive, signal } = options;
      if (signal?.aborted) return reject(asError(signal.reason));
      const stop = (): void => void (alive() && reject(asError(signal?.reason)));
      signal?.addEventListener('abort', stop, { once: true });
      this.after(ms, () => {
        signal?.removeEventListener('abort', stop);
        if (alive()) resolve();
      });
    });
  }
  /** Ends the simulation with this error. */
  fail(error: unknown): void {
    this.failure ??= asError(error);
  }
  /** Lets time pass until `done`. @throws what failed; Error when nothing is due any more or `limitMs` are over */
  async until(done: () => boolean, limitMs: number): Promise<void> {
    const end = this.current + limitMs;
    await this.flush();
    while (!done()) {
      if (this.failure !== null) throw this.failure;
      const due = this.queue.shift();
      if (due === undefined) throw new Error('nothing is due any more, and it has not ended');
      if (due.at > end) throw new Error(`it has not ended after ${limitMs / 1000} s`);
      this.current = due.at;
      Promise.resolve(due.run()).catch((error: unknown) => this.fail(error));
      await this.flush();
    }
    if (this.failure !== null) throw this.failure;
  }
}
const before = (a: Due, b: Due): boolean => a.at < b.at || (a.at === b.at && a.turn < b.turn);
const asError = (reason: unknown): Error => (reason instanceof Error ? reason : new Error(String(reason)));
