import { Injectable } from '@nestjs/common';
import type { RunEvent } from '@strata/model';
import type { Response } from '../api/http';
import { notFound } from '../api/problem';
import { Edges } from '../serve/edges';

const pingMs = 15_000;

/** Streams a run's ledger as server-sent events: what is there, then what comes, without a gap and without a repeat; after RunEnded an event `end`, then closes. */
@Injectable()
export class FollowRun {
  constructor(private readonly edges: Edges) {}

  /** @param afterSeq the last sequence that the client has. Resolves when the stream is over. */
  async run(runId: string, afterSeq: number, response: Response): Promise<void> {
    const { ledger, store, stopping } = this.edges;
    if (!(await store.runs.find(runId))) throw notFound(`run ${runId}`, 'strata runs list');
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' });
    response.flushHeaders();
    let wake: () => void = () => undefined;
    let news = true;
    let gone = false;
    const poke = (): void => {
      news = true;
      wake();
    };
    const leave = (): void => {
      gone = true;
      wake();
    };
    const unlisten = ledger.onAppend((id) => id === runId && poke());
    response.once('close', leave);
    stopping.addEventListener('abort', leave, { once: true });
    const ping = setInterval(() => response.write(': ping\n\n'), pingMs);
    try {
      let seq = afterSeq;
      while (!gone) {
        news = false;
        const events = await ledger.read(runId, seq);
        for (const event of events) {
          seq = event.seq;
          if (!response.write(lineOf(event))) await drained(response);
          if (gone) return;
        }
        const last = events.findLast((e) => e.kind === 'RunEnded' || e.kind === 'RunResumed'); // a run that was resumed goes on after its end
        if (last?.kind === 'RunEnded' || (events.length === 0 && (await this.ended(runId)))) {
          response.write(`event: end\ndata: {}\n\n`);
          return;
        }
        if (!news && !gone) await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      clearInterval(ping);
      unlisten();
      stopping.removeEventListener('abort', leave);
      response.end();
    }
  }

  private async ended(runId: string): Promise<boolean> {
    return (await this.edges.store.runs.find(runId))?.endedAt != null;
  }
}
const lineOf = (event: RunEvent): string => `id: ${event.seq}\ndata: ${JSON.stringify(event)}\n\n`;
const drained = (response: Response): Promise<void> =>
  new Promise((resolve) => {
    response.once('drain', resolve);
    response.once('close', resolve);
  });
