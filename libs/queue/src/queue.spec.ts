import { Module, type INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Redis } from 'ioredis';
import { redisOptions } from './connection';
import { QueueControl } from './control';
import { jobIdOf, NodeOffline, OrderProcessors, OrderQueue, type OrderJob } from './order-queue';
import { QueueModule } from './queue.module';
import { TestRedis } from './testing';

jest.setTimeout(30_000);
class Recorder extends OrderProcessors {
  readonly seen: string[] = [];
  answer: (job: OrderJob) => Promise<void> = () => Promise.resolve();
  processNodeOrder(job: OrderJob): Promise<void> {
    this.seen.push(`node ${job.orderId}`);
    return this.answer(job);
  }
  processServerOrder(job: OrderJob): Promise<void> {
    this.seen.push(`server ${job.orderId}`);
    return this.answer(job);
  }
}
const job = (orderId: string, node = 'n1'): OrderJob => ({ orderId, attempt: 1, epoch: 1, runId: 'r', clusterId: 'c', stepKey: `${node}/t`, node });
const until = async (what: () => boolean): Promise<void> => {
  for (let i = 0; i < 500 && !what(); i += 1) await new Promise((resolve) => setTimeout(resolve, 20));
  expect(what()).toBe(true);
};

let redis: TestRedis;
let app: INestApplicationContext | undefined;
async function start(generation: string): Promise<{ queue: OrderQueue; recorder: Recorder }> {
  const recorder = new Recorder();
  @Module({ providers: [{ provide: OrderProcessors, useValue: recorder }], exports: [OrderProcessors] })
  class Processors {}
  const log = { warn: () => undefined };
  app = await NestFactory.createApplicationContext(QueueModule.register({ url: redis.url, namespace: 'spec', generation, log, imports: [Processors] }), {
    logger: false,
    abortOnError: false,
  });
  return { queue: app.get(OrderQueue), recorder };
}
beforeAll(async () => {
  redis = await TestRedis.start();
});
afterEach(async () => {
  await app?.close();
  app = undefined;
});
afterAll(() => redis?.remove());

test('each target has its processor, and one order is one job', async () => {
  const { queue, recorder } = await start('1');
  let open: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => (open = resolve));
  recorder.answer = () => gate;
  await queue.add('node', [job('a'), job('b'), job('a')]);
  await queue.add('server', [job('s')]);
  await until(() => recorder.seen.length === 3);
  await queue.add('node', [job('a')]);
  open();
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(recorder.seen.sort()).toEqual(['node a', 'node b', 'server s']);
});

test('an offline node delays its job, and waking it brings the job at once', async () => {
  const { queue, recorder } = await start('2');
  recorder.answer = () => (recorder.seen.length === 1 ? Promise.reject(new NodeOffline(60_000)) : Promise.resolve());
  await queue.add('node', [job('a')]);
  await until(() => recorder.seen.length === 1);
  for (let delayed = 0; delayed === 0;) delayed = (await queue.counts())['node-orders'].delayed ?? 0;
  await queue.wake('n2');
  expect((await queue.counts())['node-orders'].delayed).toBe(1);
  await queue.wake('n1');
  await until(() => recorder.seen.length === 2);
});

test('a processor that throws gets its job again', async () => {
  const { queue, recorder } = await start('3');
  recorder.answer = () => (recorder.seen.length < 2 ? Promise.reject(new Error('PostgreSQL is away')) : Promise.resolve());
  await queue.add('server', [job('a')]);
  await until(() => recorder.seen.length === 2);
});

test('FLUSHALL and a restart of Redis give a new generation; jobs added again are done', async () => {
  const { queue, recorder } = await start('4');
  let gone = 0;
  queue.onGone(() => (gone += 1));
  const first = queue.generation;
  const redisClient = new Redis(redisOptions(redis.url));
  await redisClient.flushall();
  redisClient.disconnect();
  await until(() => gone === 1);
  const second = queue.generation;
  expect(second).not.toBe(first);
  await queue.add('node', [job('a')]);
  await until(() => recorder.seen.length === 1);
  await redis.down('SIGKILL');
  await redis.up();
  await until(() => gone === 2);
  expect(queue.generation).not.toBe(second);
  await queue.add('node', [job('b')]);
  await until(() => recorder.seen.length === 2);
});

test('a new server removes what older ones left, and nothing else', async () => {
  const client = new Redis(redisOptions(redis.url));
  await client.set('strata-other-1:x', '1');
  await client.set('strata-spec-0:x', '1');
  await start('5');
  expect(await client.exists('strata-other-1:x')).toBe(1);
  const keys = (await client.keys('strata-spec-*')).filter((key) => !key.startsWith('strata-spec-5'));
  expect(keys).toEqual([]);
  client.disconnect();
});

test('a Redis that evicts is refused', async () => {
  const client = new Redis(redisOptions(redis.url));
  await client.config('SET', 'maxmemory-policy', 'allkeys-lru');
  const opening = QueueControl.open(redis.url, { namespace: 'spec', generation: '6', log: { warn: () => undefined } });
  await expect(opening).rejects.toThrow('maxmemory-policy allkeys-lru');
  await client.config('SET', 'maxmemory-policy', 'noeviction');
  client.disconnect();
});

test('addresses and ids', () => {
  expect(redisOptions('unix:///run/a%20b.sock')).toMatchObject({ path: '/run/a b.sock', maxRetriesPerRequest: null });
  expect(redisOptions('rediss://u:p%40@h:1/2')).toMatchObject({ host: 'h', port: 1, db: 2, username: 'u', password: 'p@', tls: {} });
  expect(() => redisOptions('http://h')).toThrow('scheme http:');
  expect(jobIdOf({ orderId: 'r:1/é', attempt: 2, epoch: 3 })).toBe('r_1__-2-3');
});
