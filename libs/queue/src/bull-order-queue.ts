import { InjectQueue, Processor, WorkerHost } from '@nestjs/bullmq';
import { Inject, Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { DelayedError, type Job, type Queue } from 'bullmq';
import { QueueControl, type QueueLog } from './control';
import { jobIdOf, NodeOffline, OrderProcessors, OrderQueue, type OrderJob, type QueueName } from './order-queue';

export const nodeOrders = 'node-orders' satisfies QueueName;
export const serverOrders = 'server-orders' satisfies QueueName;
export const QUEUE_LOG = Symbol('QUEUE_LOG');

const forEver = 1_000_000; // a job ends when its processor is content; only the ledger gives up on an order
const pause = (attempts: number): number => Math.min(30_000, 500 * 2 ** Math.min(attempts - 1, 6));
const worker = { lockDuration: 30_000, stalledInterval: 5_000, maxStalledCount: forEver, settings: { backoffStrategy: pause } };

/** A job of an offline node goes back without spending an attempt. */
async function orDelay(job: Job<OrderJob>, token: string | undefined, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof NodeOffline)) throw error;
    await job.moveToDelayed(Date.now() + error.retryInMs, token);
    throw new DelayedError();
  }
}

abstract class OrderWorker extends WorkerHost implements OnModuleInit {
  @Inject(OrderProcessors) protected readonly processors!: OrderProcessors;
  @Inject(QUEUE_LOG) private readonly log!: QueueLog;

  onModuleInit(): void {
    setImmediate(() => {
      this.worker.on('error', (error) => this.log.warn('a queue worker met an error', error));
      this.worker.on('failed', (job: Job<OrderJob> | undefined, error) =>
        this.log.warn(`order ${job?.data.orderId ?? '?'} could not be processed; it comes again`, error),
      );
    });
  }
}

@Processor(nodeOrders, { ...worker, concurrency: 1_000 })
export class NodeOrderWorker extends OrderWorker {
  override process(job: Job<OrderJob>, token?: string): Promise<void> {
    return orDelay(job, token, () => this.processors.processNodeOrder(job.data));
  }
}

@Processor(serverOrders, { ...worker, concurrency: 100 })
export class ServerOrderWorker extends OrderWorker {
  override process(job: Job<OrderJob>, token?: string): Promise<void> {
    return orDelay(job, token, () => this.processors.processServerOrder(job.data));
  }
}

@Injectable()
export class BullOrderQueue extends OrderQueue implements OnModuleInit, OnApplicationShutdown {
  constructor(
    @Inject(QueueControl) private readonly control: QueueControl,
    @InjectQueue(nodeOrders) private readonly nodes: Queue<OrderJob>,
    @InjectQueue(serverOrders) private readonly servers: Queue<OrderJob>,
  ) {
    super();
  }
  @Inject(QUEUE_LOG) private readonly log!: QueueLog;

  get generation(): string {
    return this.control.generation;
  }
  onModuleInit(): void {
    for (const queue of [this.nodes, this.servers]) queue.on('error', (error) => this.log.warn(`queue ${queue.name} met an error`, error));
  }
  async add(target: 'node' | 'server', jobs: readonly OrderJob[]): Promise<void> {
    const queue = target === 'node' ? this.nodes : this.servers;
    const entries = jobs.map(({ orderId, attempt, epoch, runId, clusterId, stepKey, node }) => ({
      name: 'order',
      data: { orderId, attempt, epoch, runId, clusterId, stepKey, node },
      opts: { jobId: jobIdOf({ orderId, attempt, epoch }), attempts: forEver, backoff: { type: 'custom' }, removeOnComplete: true, removeOnFail: true },
    }));
    await queue.addBulk(entries);
  }
  async wake(node: string): Promise<void> {
    for (const job of await this.nodes.getDelayed()) if (job.data.node === node) await job.promote().catch(() => undefined); // it may have begun this instant
  }
  async counts(): Promise<Record<QueueName, Record<string, number>>> {
    return { [nodeOrders]: await this.nodes.getJobCounts(), [serverOrders]: await this.servers.getJobCounts() };
  }
  onGone(callback: () => void): void {
    this.control.onGone(callback);
  }
  async onApplicationShutdown(): Promise<void> {
    this.control.close();
    await Promise.all([this.nodes.close(), this.servers.close()]);
  }
}
