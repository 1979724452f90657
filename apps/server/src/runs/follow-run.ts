import { Injectable } from '@nestjs/common';
import type { RunEvent } from '@strata/model';
import type { Response } from '../api/http';
import { LiveAnswer } from '../api/live-answer';
import { notFound } from '../api/problem';
import { Edges } from '../serve/edges';
import { RunEnds } from './run-ends';

/** Streams a run's ledger as server-sent events: what is there, then what comes, without a gap and without a repeat; after RunEnded an event `end`, then closes. */
@Injectable()
export class FollowRun {
  constructor(
    private readonly edges: Edges,
    private readonly ends: RunEnds,
  ) {}

  /** @param afterSeq the last sequence that the client has. Resolves when the stream is over. */
  async run(runId: string, afterSeq: number, response: Response): Promise<void> {
    const { ledger, store, stopping } = this.edges;
    if (!(await store.runs.find(runId))) throw notFound(`run ${runId}`, 'strata runs list');
    const answer = new LiveAnswer(response, { type: 'text/event-stream', stopping });
    let wake: () => void = () => undefined;
    let news = true;
    const poke = (): void => {
      news = true;
      wake();
    };
    const unlisten = ledger.onAppend((id) => id === runId && poke());
    answer.over.addEventListener('abort', poke, { once: true });
    try {
      answer.begin();
      let seq = afterSeq;
      while (!answer.over.aborted) {
        news = false;
        const events = await ledger.read(runId, seq);
        for (const event of events) {
          seq = event.seq;
          if (event.kind === 'RunEnded') await this.ends.settled(runId); // who hears of the end finds the cluster as it left it
          if (!answer.write(lineOf(event))) await answer.room();
          if (answer.over.aborted) return;
        }
        const last = events.findLast((e) => e.kind === 'RunEnded' || e.kind === 'RunResumed'); // a run that was resumed goes on after its end
        if (last?.kind === 'RunEnded' || (events.length === 0 && (await this.isOver(runId, seq)))) {
          answer.write(`event: end\ndata: {}\n\n`);
          return;
        }
        if (!news) await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      unlisten();
      answer.end();
    }
  }

  /** Asked in this order: a run may end after its events were read, and once it has, its last event is there to be read. */
  private async isOver(runId: string, seq: number): Promise<boolean> {
    const run = await this.edges.store.runs.find(runId);
    return run?.endedAt != null && (await this.edges.ledger.read(runId, seq)).length === 0;
  }
}
const lineOf = (event: RunEvent): string => `id: ${event.seq}\ndata: ${JSON.stringify(event)}\n\n`;
