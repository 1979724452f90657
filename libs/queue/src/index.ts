export { describeRedis, QueueError, redisOptions, type RedisUrl } from './connection';
export type { QueueLog } from './control';
export { jobIdOf, NodeOffline, OrderProcessors, OrderQueue, type OrderJob, type QueueName } from './order-queue';
export { QueueModule, type QueueModuleOptions } from './queue.module';
export * from './redis';
