import { Redis } from 'ioredis';
import { describeRedis, QueueError, redisOptions, type RedisUrl } from './connection';

/** How the queue reports what it cannot throw to anybody. */
export interface QueueLog {
  warn(message: string, error?: unknown): void;
}
const connectDeadlineMs = 10_000;
const commandDeadlineMs = 5_000;
const field = (info: string, name: string): string => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? '';

/**
 * Watches over the queue's content: refuses a Redis that may evict jobs, removes the keys of earlier servers, and notices when the content
 * is gone (FLUSHALL) or may be (Redis was restarted).
 */
export class QueueControl {
  private timer: NodeJS.Timeout | undefined;
  private lives = 1;
  private callbacks: (() => void)[] = [];

  private constructor(
    private readonly redis: Redis,
    private readonly name: { prefix: string; generation: string },
    private server: string,
  ) {}

  /**
   * Throws a QueueError when Redis does not answer within 10 s or evicts.
   * `namespace` tells the servers apart that share one Redis; `generation` is new with each server start.
   */
  static async open(url: RedisUrl, { namespace, generation, log }: { namespace: string; generation: string; log: QueueLog }): Promise<QueueControl> {
    const prefix = `strata-${namespace}-${generation}`;
    const redis = new Redis({ ...redisOptions(url), commandTimeout: commandDeadlineMs, lazyConnect: true });
    redis.on('error', (error) => log.warn('Redis does not answer; what is released waits in PostgreSQL', error));
    try {
      await connect(redis, url);
      const [server, memory] = [await redis.info('server'), await redis.info('memory')];
      const policy = field(memory, 'maxmemory_policy');
      if (policy !== 'noeviction')
        throw new QueueError(
          `Redis at ${describeRedis(url)} has maxmemory-policy ${policy}, which may throw jobs away: set it to noeviction, or leave REDIS_URL out`,
        );
      const control = new QueueControl(redis, { prefix, generation }, field(server, 'run_id'));
      await redis.set(control.key, '1');
      await control.removeOthers(`strata-${namespace}-`);
      control.timer = setInterval(() => void control.look().catch((error: unknown) => log.warn('the queue could not be looked at', error)), 1_000);
      return control;
    } catch (error) {
      redis.disconnect();
      throw error;
    }
  }

  get prefix(): string {
    return this.name.prefix;
  }
  get generation(): string {
    return `${this.name.generation}.${this.lives}`;
  }
  onGone(callback: () => void): void {
    this.callbacks.push(callback);
  }
  close(): void {
    clearInterval(this.timer);
    this.redis.disconnect();
  }

  private get key(): string {
    return `${this.prefix}.generation`;
  }

  private async look(): Promise<void> {
    if (this.redis.status !== 'ready') return;
    const server = field(await this.redis.info('server'), 'run_id');
    if (server === this.server && (await this.redis.exists(this.key)) === 1) return;
    await this.redis.set(this.key, '1');
    this.server = server;
    this.lives += 1;
    for (const callback of this.callbacks) callback();
  }

  private async removeOthers(start: string): Promise<void> {
    for (let cursor = '0'; ;) {
      const [next, keys] = await this.redis.scan(cursor, 'MATCH', `${start}*`, 'COUNT', 1000);
      const old = keys.filter((key) => key !== this.key && !key.startsWith(`${this.prefix}:`));
      if (old.length > 0) await this.redis.unlink(...old);
      if (next === '0') return;
      cursor = next;
    }
  }
}

/** Redis may be starting: tries until the deadline. */
async function connect(redis: Redis, url: RedisUrl): Promise<void> {
  const ready = new Promise<void>((resolve) => redis.once('ready', () => resolve()));
  let last: unknown;
  redis.on('error', (error) => (last = error));
  void redis.connect().catch(() => undefined); // it goes on trying
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () =>
        reject(
          new QueueError(
            `Redis at ${describeRedis(url)} does not answer after ${connectDeadlineMs / 1000} s: see the supervisor's redis.log, or check REDIS_URL`,
            { cause: last },
          ),
        ),
      connectDeadlineMs,
    );
  });
  await Promise.race([ready, late]).finally(() => clearTimeout(timer));
}
