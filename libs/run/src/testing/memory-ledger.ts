import type { NewEvent, RunEvent } from '@strata/model';
import type { Ledger, Release } from '../ports';

/** An outbox row: a release that has not settled. */
export interface OutboxEntry extends Release {
  runId: string;
}

/** A ledger in memory with the semantics of the real one: expected sequences, outbox rows that come and go with their events. */
export class MemoryLedger implements Ledger {
  private readonly runs = new Map<string, RunEvent[]>();
  private readonly clusters = new Map<string, string>();
  readonly outbox: OutboxEntry[] = [];
  /** Told of each append after it was written. */
  onAppend: ((runId: string, events: readonly RunEvent[]) => void) | null = null;

  constructor(private readonly now: () => number) {}

  /** Makes a run without events. */
  begin(runId: string, clusterId: string): void {
    this.runs.set(runId, []);
    this.clusters.set(runId, clusterId);
  }
  async read(runId: string, afterSeq = 0): Promise<RunEvent[]> {
    return structuredClone(this.of(runId).slice(afterSeq));
  }
  async append(runId: string, expectedSeq: number, batch: { events: readonly NewEvent[]; releases?: readonly Release[] }): Promise<RunEvent[] | false> {
    const events = this.of(runId);
    if (events.length !== expectedSeq) return false;
    const written: RunEvent[] = batch.events.map((event, i) => {
      const { kind, body, step = null, node = null } = structuredClone(event);
      return { kind, body, step, node, runId, seq: expectedSeq + 1 + i, at: this.now() } as RunEvent;
    });
    events.push(...written);
    for (const release of batch.releases ?? []) this.outbox.push({ ...release, runId });
    for (const event of written) if (event.kind === 'OrderSettled') this.settle(event);
    this.onAppend?.(runId, written);
    return structuredClone(written);
  }
  async open(): Promise<{ runId: string; clusterId: string }[]> {
    return [...this.runs].filter(([runId]) => !this.hasEnded(runId)).map(([runId]) => ({ runId, clusterId: this.clusters.get(runId)! }));
  }
  /** Appends at the end, whatever its sequence: for what comes from outside the engine. */
  async add(runId: string, ...events: NewEvent[]): Promise<RunEvent[]> {
    return (await this.append(runId, this.of(runId).length, { events })) || [];
  }
  /** Whether a run ended and was not opened again since. */
  hasEnded(runId: string): boolean {
    return this.of(runId).findLast((e) => e.kind === 'RunEnded' || e.kind === 'RunResumed')?.kind === 'RunEnded';
  }
  /** All events of a run, not copied. */
  all(runId: string): readonly RunEvent[] {
    return this.of(runId);
  }

  private of(runId: string): RunEvent[] {
    const events = this.runs.get(runId);
    if (events === undefined) throw new Error(`there is no run ${runId}`);
    return events;
  }
  private settle(event: Extract<RunEvent, { kind: 'OrderSettled' }>): void {
    const { attempt, epoch, action } = event.body;
    const i = this.outbox.findIndex(
      (o) => o.runId === event.runId && o.step === event.step && o.attempt === attempt && o.epoch === epoch && o.action === action,
    );
    if (i >= 0) this.outbox.splice(i, 1);
  }
}
