import { Inject, Injectable } from '@nestjs/common';
import { OrderQueue } from '@strata/queue';
import { Edges } from '../serve/edges';

const everyMs = 1_000;
const atOnce = 200;

/** Turns released orders into jobs of the queue. The queue is only a to-do list: when its generation key is gone, everything unsettled is added anew. */
@Injectable()
export class Relay {
  @Inject() private readonly edges!: Edges;
  @Inject() private readonly queue!: OrderQueue;
  private timer: NodeJS.Timeout | null = null;
  private running = false;
  private again = false;

  /** Begins to relay: at each release, and once a second in any case. */
  start(): void {
    this.edges.ledger.onAppend((_, events) => {
      if (events.some((e) => e.kind === 'OrderReleased')) this.kick();
    });
    this.queue.onGone(() => this.kick());
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
    for (;;) {
      const generation = this.queue.generation; // a new one when Redis has lost the last: then every row is unrelayed again
      const rows = await this.edges.store.outbox.unrelayed(generation, atOnce);
      for (const target of ['node', 'server'] as const) {
        const jobs = rows.filter((r) => r.target === target);
        if (jobs.length > 0) await this.queue.add(target, jobs);
      }
      await this.edges.store.outbox.markRelayed(rows, generation);
      if (rows.length < atOnce) return;
    }
  }
}
