import { Injectable } from '@nestjs/common';
import type { RunEvent } from '@strata/model';
import { AdvanceRun, type RunView } from '@strata/run';
import { CancelOrder } from '../orders/cancel-order';
import { Edges } from '../serve/edges';
import { Situations } from './situations';

/** Events after which something else may begin. */
const moves = new Set(['RunPlanned', 'OrderSettled', 'StepRetried', 'CancelRequested', 'RunResumed', 'UnwindStarted', 'NodeAbsent', 'NodeReturned']);
const countEveryMs = 500;
const againMs = 2_000; // after a failure of our own (the database away): try again

/** Keeps every open run moving: pokes the engine when the ledger, a session or a timer says that something may have changed. */
@Injectable()
export class AdvanceRuns {
  private readonly engine: AdvanceRun;
  private readonly counting = new Set<string>();
  private readonly timers = new Map<string, NodeJS.Timeout>();
  private readonly wantPlace = new Set<string>(); // runs of which a step waits for a place in a pool

  constructor(
    private readonly edges: Edges,
    situations: Situations,
    cancel: CancelOrder,
  ) {
    this.engine = new AdvanceRun({
      ledger: edges.ledger,
      situation: (runId, _plan, view) => situations.of(runId, view),
      onCancelOrder: (runId, order, reason) => cancel.run(runId, order, reason),
      after: (view) => Promise.resolve(this.count(view)),
    });
  }

  /** Begins to listen. What was open when the server died goes on. */
  async start(): Promise<void> {
    this.edges.ledger.onAppend((runId, events) => this.heard(runId, events));
    this.edges.sessions.onChange((session) => void this.pokeCluster(session.clusterId));
    for (const { runId } of await this.edges.ledger.open()) this.poke(runId);
  }

  /** Looks at a run soon. Any number of pokes at once release nothing twice. */
  poke(runId: string): void {
    if (this.edges.stopping.aborted) return;
    clearTimeout(this.timers.get(runId));
    this.timers.delete(runId);
    void this.engine.advance(runId).then(
      ({ wakeAt, view, decision }) => {
        const waits = decision !== null && [...decision.standings.values()].some((s) => s.kind === 'pool');
        if (waits) this.wantPlace.add(runId);
        else this.wantPlace.delete(runId);
        if (view.state === 'ended') this.engine.forget(runId);
        else if (wakeAt !== null) this.wake(runId, wakeAt - this.edges.now());
      },
      (error: unknown) => {
        this.edges.log.error({ err: error, runId }, 'a run could not be advanced; trying again');
        this.wake(runId, againMs);
      },
    );
  }

  stop(): void {
    for (const timer of this.timers.values()) clearTimeout(timer);
    this.timers.clear();
  }

  private heard(runId: string, events: readonly RunEvent[]): void {
    if (events.some((e) => moves.has(e.kind))) this.poke(runId);
    // the server's places are shared: what one run gives back, another may wait for
    if (events.some((e) => e.kind === 'OrderSettled' || e.kind === 'RunEnded')) for (const other of this.wantPlace) if (other !== runId) this.poke(other);
  }

  private async pokeCluster(clusterId: string): Promise<void> {
    try {
      for (const open of await this.edges.ledger.open()) if (open.clusterId === clusterId) this.poke(open.runId);
    } catch (error) {
      this.edges.log.warn({ err: error }, 'open runs could not be read after a session changed');
    }
  }

  private wake(runId: string, inMs: number): void {
    clearTimeout(this.timers.get(runId));
    this.timers.set(runId, setTimeout(() => this.poke(runId), Math.min(Math.max(inMs, 10), 2 ** 31 - 1)).unref());
  }

  /** Counts are for lists: written at most twice a second; the end of the run writes the last ones. */
  private count(view: RunView): void {
    if (this.counting.has(view.runId)) return;
    const { runId } = view;
    this.counting.add(runId);
    setTimeout(() => {
      this.counting.delete(runId);
      if (view.state === 'ended' || this.edges.stopping.aborted) return;
      this.edges.store.runs.recordCounts(runId, countsOf(view)).catch((error: unknown) => this.edges.log.warn({ err: error }, 'counts were not written'));
    }, countEveryMs).unref();
  }
}

/** What lists say of a run's steps. */
export function countsOf(view: RunView): { total: number; done: number; changed: number; failed: number } {
  const steps = [...view.steps.values()];
  const count = (test: (s: (typeof steps)[number]) => boolean): number => steps.filter(test).length;
  return {
    total: steps.length,
    done: count((s) => s.state === 'done'),
    changed: count((s) => s.changed),
    failed: count((s) => s.state === 'failed' || s.state === 'undo-failed'),
  };
}
