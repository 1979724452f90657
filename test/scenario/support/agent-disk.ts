import { OrderBody, type OrderResult, type Outcome } from '@strata/model';
import type { HeldAttempt } from '@strata/tasks';

/** What an agent's disk holds of one order. */
export interface Held extends HeldAttempt {
  body: OrderBody;
  seq: number;
  before?: unknown;
  outcome?: Outcome;
  result?: OrderResult;
  acked: boolean;
}
export type Write = 'accepted' | 'running' | 'before' | 'settled' | 'acked';

/** The write-ahead journal of a simulated agent: it outlives the process. By the text of its lines a test sees what would lie on the disk. */
export class AgentDisk {
  readonly orders = new Map<string, Held>();
  readonly lines: string[] = [];
  /** The first `before` of each step, kept for uninstall. */
  readonly befores = new Map<string, { runId: string; before: unknown }>();
  highestEpoch = 0;

  write(kind: Write, orderId: string, more: Partial<Held> & { body?: OrderBody } = {}): Held {
    const seq = this.lines.length + 1;
    this.lines.push(JSON.stringify({ seq, kind, orderId, ...more }));
    if (kind === 'accepted' && more.body) {
      const { epoch, attempt } = more.body;
      this.orders.delete(orderId);
      this.orders.set(orderId, { body: more.body, epoch, attempt, state: 'accepted', seq, acked: false });
      this.highestEpoch = Math.max(this.highestEpoch, epoch);
    }
    const held = this.orders.get(orderId);
    if (!held) throw new Error(`the journal has no order ${orderId}`);
    Object.assign(held, more, { seq });
    if (kind === 'running') held.state = 'running';
    if (kind === 'settled') held.state = 'settled';
    if (kind === 'acked') held.acked = true;
    return held;
  }
}
