import { Inject, Injectable } from '@nestjs/common';
import { NodeOffline, type OrderJob, OrderProcessors } from '@strata/queue';
import { z } from 'zod';
import { Edges } from '../serve/edges';
import { Dispatch } from './dispatch';
import type { OutboxOrder } from './released-orders';
import { ServerOrders } from './server-orders';

const offlineMs = 3_000;
const Job = z.object({ orderId: z.string(), attempt: z.int(), epoch: z.int(), runId: z.uuid(), clusterId: z.uuid(), stepKey: z.string() });

/** Carries jobs to where orders are carried out. A job says only which order it is about; everything else comes from the ledger. */
@Injectable()
export class Processors extends OrderProcessors {
  @Inject() private readonly edges!: Edges;
  @Inject() private readonly dispatch!: Dispatch;
  @Inject() private readonly servers!: ServerOrders;

  /** Ends when the agent has accepted the order; while the node is offline the job waits, and no attempt is spent. */
  async processNodeOrder(job: OrderJob): Promise<void> {
    const order = this.orderOf(job);
    if (!order) return;
    const sent = await this.dispatch.send(order);
    if (sent === 'offline') throw new NodeOffline(offlineMs); // when its session opens it is sent without waiting for this
    if (sent === 'again') throw new Error(`the agent of ${job.node ?? 'the node'} did not answer in time`);
  }

  /** Ends when the order has settled, or the server stops. */
  async processServerOrder(job: OrderJob): Promise<void> {
    const order = this.orderOf(job);
    if (order && !this.edges.stopping.aborted) await this.servers.run(order);
  }

  /** What a job names, or null when it names nothing: anybody on Redis may have written it. */
  private orderOf(job: OrderJob): OutboxOrder | null {
    const named = Job.safeParse(job);
    if (named.success) {
      const { stepKey, ...order } = named.data;
      return { ...order, step: stepKey };
    }
    this.edges.log.warn({ job }, 'a job was left out: it names no order');
    return null;
  }
}
