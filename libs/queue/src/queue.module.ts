import { BullModule } from '@nestjs/bullmq';
import { Module, type DynamicModule, type ModuleMetadata } from '@nestjs/common';
import { BullOrderQueue, NodeOrderWorker, nodeOrders, QUEUE_LOG, ServerOrderWorker, serverOrders } from './bull-order-queue';
import { redisOptions, type RedisUrl } from './connection';
import { QueueControl, type QueueLog } from './control';
import { OrderQueue } from './order-queue';

export interface QueueModuleOptions {
  url: RedisUrl;
  /** Tells the servers apart that share one Redis. */
  namespace: string;
  /** New with each server start (its epoch): the keys of older ones are removed. */
  generation: string;
  log: QueueLog;
  /** Modules that export a provider of `OrderProcessors`. */
  imports: NonNullable<ModuleMetadata['imports']>;
}

/** BullMQ behind `OrderQueue` and `OrderProcessors`. Exports `OrderQueue`. */
@Module({})
export class QueueModule {
  /** Connects while Nest builds the module; then throws a QueueError when Redis is away or evicts. */
  static register({ url, namespace, generation, log, imports }: QueueModuleOptions): DynamicModule {
    return {
      module: QueueModule,
      imports: [
        ...imports,
        BullModule.forRoot({ connection: redisOptions(url), prefix: `strata-${namespace}-${generation}` }),
        BullModule.registerQueue({ name: nodeOrders }, { name: serverOrders }),
      ],
      providers: [
        { provide: QUEUE_LOG, useValue: log },
        { provide: QueueControl, useFactory: () => QueueControl.open(url, { namespace, generation, log }) },
        NodeOrderWorker,
        ServerOrderWorker,
        { provide: OrderQueue, useClass: BullOrderQueue },
      ],
      exports: [OrderQueue],
    };
  }
}
