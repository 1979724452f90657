import { Inject, Injectable } from '@nestjs/common';
import type { OrderName } from '@strata/run';
import { Edges } from '../serve/edges';
import { Dispatch } from './dispatch';
import { ServerOrders } from './server-orders';
import { SettleOrder } from './settle';

/** Makes an order that is in flight settle soon: the agent that holds it is told, or it is settled as cancelled when nobody has begun it. */
@Injectable()
export class CancelOrder {
  @Inject() private readonly edges!: Edges;
  @Inject() private readonly dispatch!: Dispatch;
  @Inject() private readonly servers!: ServerOrders;
  @Inject() private readonly settle!: SettleOrder;

  /** Harmless to repeat. */
  async run(runId: string, order: OrderName, reason: string): Promise<void> {
    if (order.target === 'server') {
      if (this.servers.cancel(order)) return;
    } else {
      await this.dispatch.landed(order);
      const run = await this.edges.store.runs.find(runId);
      const session = run && order.node !== null ? this.edges.sessions.named(run.clusterId, order.node) : null;
      if (session?.holds.has(order.orderId)) return session.link.send({ kind: 'cancel', orderId: order.orderId, attempt: order.attempt, reason });
    }
    const { step, orderId, attempt, epoch } = order;
    await this.settle.run({ runId, step, orderId, attempt, epoch, outcome: 'cancelled', result: { findings: [], reason } });
  }
}
