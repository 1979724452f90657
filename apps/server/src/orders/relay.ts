import { Inject, Injectable } from '@nestjs/common';
import type { OutboxRow } from '@strata/store';
import { Edges } from '../serve/edges';

const everyMs = 1_000;
const atOnce = 200;

/** Turns released orders into jobs of the queue. The queue is only a to-do list: when its generation key is gone, everything unsettled is added anew. */
@Injectable()
export class Relay {
  @Inject() private readonly edges!: Edges;
  private timer: NodeJS.Timeout | null = null;
  private running = false;
  private again = false;

  /** Begins to relay: at each release, and once a second in any case. */
  start(): void {
    this.edges.ledger.onAppend((_, events) => {
      if (events.some((e) => e.kind === 'OrderReleased')) this.kick();
    });
    this.timer = setInterval(() => this.kick(), everyMs).unref();
    this.kick();
  }
  stop(): void {
    if (this.timer) clearInterval(this.timer);
  }

  /** Relays soon; calls that come meanwhile become one more round. */
  kick(): void {
    this.again = true;
    if (!this.running) void this.rounds();
  }

  private async rounds(): Promise<void> {
    this.running = true;
    try {
      while (this.again && !this.edges.stopping.aborted) {
        this.again = false;
        await this.round();
      }
    } catch (error) {
      this.edges.log.warn({ err: error }, 'orders could not be put into the queue; trying again in a second');
    } finally {
      this.running = false;
    }
  }

  private async round(): Promise<void> {
    const { queue, store } = this.edges;
    const generation = await queue.generation(); // a new one when Redis has lost the last: then every row is unrelayed again
    for (;;) {
      const rows: OutboxRow[] = await store.outbox.unrelayed(generation, atOnce);
      if (rows.length === 0) return;
      await queue.add(rows);
      await store.outbox.markRelayed(rows, generation);
      if (rows.length < atOnce) return;
    }
  }
}
