const everyMs = 5_000;
const noteEveryMs = 2_000;
const step = 0.1;

interface Told {
  fraction: number | null;
  note: string;
}

/** How often the progress of one order goes into the ledger: the first word, then every 10 %, a new note at most every 2 s, and at least every 5 s. */
export class ProgressPace {
  private last: (Told & { at: number }) | null = null;

  /** Whether this is to be written now; if so, it counts as written. */
  isDue(now: number, told: Told): boolean {
    const last = this.last;
    const jumped = last !== null && told.fraction !== null && Math.abs(told.fraction - (last.fraction ?? 0)) >= step;
    const due = !last || jumped || now - last.at >= everyMs || (told.note !== last.note && now - last.at >= noteEveryMs);
    if (due) this.last = { ...told, at: now };
    return due;
  }
}
