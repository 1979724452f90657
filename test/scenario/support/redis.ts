import { join } from 'node:path';
import { Redis } from 'ioredis';

/** Somebody else on the server's Redis. */
export function openRedis(home: string): Redis {
  const redis = new Redis({ path: join(home, 'redis/redis.sock'), maxRetriesPerRequest: 20 });
  redis.on('error', () => undefined); // it may be killed under us
  return redis;
}
/** Every key. */
export async function keysOf(redis: Redis, pattern = '*'): Promise<string[]> {
  const keys: string[] = [];
  for (let cursor = '0'; ;) {
    const [next, some] = await redis.scan(cursor, 'MATCH', pattern, 'COUNT', 500);
    keys.push(...some);
    if ((cursor = next) === '0') return [...new Set(keys)].sort();
  }
}
