import type { RunEvent } from '@strata/model';
import type { Ledger } from '@strata/run';

type Notice = (runId: string, events: readonly RunEvent[]) => void;

/** The ledger, telling whoever listens in this process what was appended, after it was committed. One server writes at a time, so this is all there is to hear. */
export class NoticingLedger implements Ledger {
  private readonly listeners = new Set<Notice>();

  constructor(private readonly ledger: Ledger) {}

  /** @returns the way to stop listening. */
  onAppend(listener: Notice): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
  read: Ledger['read'] = (runId, afterSeq) => this.ledger.read(runId, afterSeq);
  open: Ledger['open'] = () => this.ledger.open();

  async append(...[runId, expectedSeq, batch]: Parameters<Ledger['append']>): Promise<RunEvent[] | false> {
    const written = await this.ledger.append(runId, expectedSeq, batch);
    if (written !== false) for (const listener of this.listeners) listener(runId, written);
    return written;
  }
  /** For appends that another transaction made (the start of a run). */
  notice(runId: string, events: readonly RunEvent[]): void {
    for (const listener of this.listeners) listener(runId, events);
  }
}
