/** All that a queue job says: which order. What is to be done stands in the ledger. */
export interface OrderJob {
  orderId: string;
  attempt: number;
  epoch: number;
  runId: string;
  clusterId: string;
  stepKey: string;
  node: string | null;
}
export type QueueName = 'node-orders' | 'server-orders';

/** Thrown by a processor: the node has no session. The job comes again after `retryInMs` and no attempt is spent. */
export class NodeOffline extends Error {
  override name = 'NodeOffline';
  constructor(readonly retryInMs: number) {
    super(`the node has no session; again in ${retryInMs} ms`);
  }
}

/** What the server does with a job. A processor that throws anything but NodeOffline gets the job again, with growing pauses (0.5 to 30 s). */
export abstract class OrderProcessors {
  abstract processNodeOrder(job: OrderJob): Promise<void>;
  abstract processServerOrder(job: OrderJob): Promise<void>;
}

/** The to-do list. It may lose everything at any time: the outbox of the store is what counts. */
export abstract class OrderQueue {
  /** One life of the queue's content. When it changes, all that is released and unsettled must be added again. */
  abstract readonly generation: string;
  /** Adds jobs; one that is there already is not added twice. */
  abstract add(target: 'node' | 'server', jobs: readonly OrderJob[]): Promise<void>;
  /** Lets the delayed jobs of a node run at once: it is back. */
  abstract wake(node: string): Promise<void>;
  /** Jobs by state, for metrics. */
  abstract counts(): Promise<Record<QueueName, Record<string, number>>>;
  /** Calls back when the content was lost (`generation` is a new one by then). */
  abstract onGone(callback: () => void): void;
}

/** BullMQ takes neither ":" nor an integer as an id. */
export function jobIdOf({ orderId, attempt, epoch }: Pick<OrderJob, 'orderId' | 'attempt' | 'epoch'>): string {
  return `${orderId.replace(/[^A-Za-z0-9._-]/g, '_')}-${attempt}-${epoch}`;
}
