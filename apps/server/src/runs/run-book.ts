import { Injectable } from '@nestjs/common';
import type { NewEvent, RunEvent } from '@strata/model';
import { advanceView, emptyView, type RunView } from '@strata/run';
import { Edges } from '../serve/edges';
import { Turns } from '../serve/turns';

/** The folded views of runs, and the way to write into a run's ledger. Views are kept for as long as a run is open. */
@Injectable()
export class RunBook {
  private readonly views = new Map<string, RunView>();
  /** Runs whose kept view may lack something. */
  private readonly behind = new Set<string>();
  private readonly turns = new Turns();

  constructor(private readonly edges: Edges) {
    edges.ledger.onAppend((runId, events) => this.take(runId, events));
  }

  /** The view of a run as of now. Treat it as read-only: it goes on being folded. */
  async view(runId: string): Promise<RunView> {
    return this.turns.take(runId, () => this.fresh(runId));
  }

  /** Appends what `make` answers for the current view; asks again when somebody else was faster. Returns the view after it. */
  async record(runId: string, make: (view: RunView) => readonly NewEvent[]): Promise<RunView> {
    return this.turns.take(runId, async () => {
      for (;;) {
        const view = await this.fresh(runId);
        const events = make(view);
        if (events.length === 0) return view;
        const written = await this.edges.ledger.append(runId, view.seq, { events });
        if (written) return this.fresh(runId);
        this.behind.add(runId);
      }
    });
  }

  /** Drops the kept view: the run is over. */
  forget(runId: string): void {
    this.views.delete(runId);
  }

  private async fresh(runId: string): Promise<RunView> {
    const known = this.views.get(runId);
    if (known && !this.behind.has(runId)) return known;
    const view = known ?? emptyView(runId);
    this.views.set(runId, view); // first: what is appended while we read is seen by `take`
    do {
      this.behind.delete(runId);
      for (const event of await this.edges.ledger.read(runId, view.seq)) advanceView(view, event);
    } while (this.behind.has(runId));
    return view;
  }

  /** Every append of this process passes here, and no other process appends: a view that is kept need not be read again. */
  private take(runId: string, events: readonly RunEvent[]): void {
    const view = this.views.get(runId);
    const first = events[0];
    if (!view || !first) return;
    if (first.seq > view.seq + 1) this.behind.add(runId);
    else for (const event of events) advanceView(view, event);
  }
}
