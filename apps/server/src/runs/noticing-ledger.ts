import type { RunEvent } from '@strata/model';
import type { Ledger } from '@strata/run';
import { Turns } from '../serve/turns';

type Notice = (runId: string, events: readonly RunEvent[]) => void;

/** The ledger, telling whoever listens in this process what was appended, after it was committed. One server writes at a time, so this is all there is to hear. */
export class NoticingLedger implements Ledger {
  private readonly listeners = new Set<Notice>();
  private readonly turns = new Turns();
  /** The last sequence of each run that was appended to here. */
  private readonly last = new Map<string, number>();

  constructor(private readonly ledger: Ledger & { isBroken(runId: string): boolean }) {}

  /** @returns the way to stop listening. */
  onAppend(listener: Notice): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
  read: Ledger['read'] = (runId, afterSeq) => this.ledger.read(runId, afterSeq);
  open: Ledger['open'] = () => this.ledger.open();
  /** Whether a line of the run that was read is not what this server wrote. */
  isBroken = (runId: string): boolean => this.ledger.isBroken(runId);

  /** Appends of one run take turns here: who expects an older sequence is told so without asking the database. */
  append(...[runId, expectedSeq, batch]: Parameters<Ledger['append']>): Promise<RunEvent[] | false> {
    return this.turns.take(runId, async () => {
      const last = this.last.get(runId);
      if (last !== undefined && last !== expectedSeq) return false;
      this.last.delete(runId); // unknown, should the append break off
      const written = await this.ledger.append(runId, expectedSeq, batch);
      if (written === false) return false;
      this.last.set(runId, written.at(-1)?.seq ?? expectedSeq);
      for (const listener of this.listeners) listener(runId, written);
      return written;
    });
  }
  /** For appends that another transaction made (the start of a run). */
  notice(runId: string, events: readonly RunEvent[]): void {
    for (const listener of this.listeners) listener(runId, events);
  }
}
