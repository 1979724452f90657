import { Inject, Injectable } from '@nestjs/common';
import type { OutboxRow } from '@strata/store';
import { Edges } from '../serve/edges';
import { Dispatch } from './dispatch';
import type { OutboxOrder } from './released-orders';
import { ServerOrders } from './server-orders';

const offlineMs = 3_000;
/** What the queue does with a job next: nothing more, or bring it again after a while (no attempt is spent). */
export type JobEnd = { done: true } | { done: false; delayMs: number };

/** Carries jobs to where orders are carried out. A job says only which order it is about; everything else comes from the ledger. */
@Injectable()
export class Processors {
  @Inject() private readonly edges!: Edges;
  @Inject() private readonly dispatch!: Dispatch;
  @Inject() private readonly servers!: ServerOrders;

  /** Ends when the agent has accepted the order; while the node is offline the job waits. */
  async node(row: OutboxRow): Promise<JobEnd> {
    const sent = await this.dispatch.send(orderOf(row));
    if (sent === 'offline') return { done: false, delayMs: offlineMs }; // when its session opens it is sent without waiting for this
    if (sent === 'again') return { done: false, delayMs: 500 };
    return { done: true };
  }

  /** Ends when the order has settled. */
  async server(row: OutboxRow): Promise<JobEnd> {
    await this.servers.run(orderOf(row));
    return { done: !this.edges.stopping.aborted } as JobEnd;
  }
}
const orderOf = (row: OutboxRow): OutboxOrder => ({
  orderId: row.orderId,
  attempt: row.attempt,
  epoch: row.epoch,
  runId: row.runId,
  clusterId: row.clusterId,
  step: row.stepKey,
});
