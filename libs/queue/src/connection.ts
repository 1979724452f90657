/** `redis://`, `rediss://` or `unix:///path/to/socket`. */
export type RedisUrl = string;

/** What both ioredis and BullMQ understand. */
export interface RedisConnection {
  maxRetriesPerRequest: null;
  connectTimeout: number; // ms
  retryStrategy: (times: number) => number;
  path?: string;
  host?: string;
  port?: number;
  db?: number;
  username?: string;
  password?: string;
  tls?: object;
}
/** What stands between us and a queue, with what to do about it. */
export class QueueError extends Error {
  override name = 'QueueError';
}

/** Connection options without a deadline on blocking commands, as BullMQ's workers need them. Throws a QueueError on a URL that names no Redis. */
export function redisOptions(url: RedisUrl): RedisConnection {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch (cause) {
    throw new QueueError('REDIS_URL is no URL: write redis://host:6379, rediss://… or unix:///path/to/socket', { cause });
  }
  const patient = { maxRetriesPerRequest: null, connectTimeout: 5_000, retryStrategy: (times: number) => Math.min(50 * times, 1_000) };
  const access = {
    ...(parsed.username ? { username: decodeURIComponent(parsed.username) } : {}),
    ...(parsed.password ? { password: decodeURIComponent(parsed.password) } : {}),
  };
  if (parsed.protocol === 'unix:') return { ...patient, ...access, path: decodeURIComponent(parsed.pathname) };
  if (parsed.protocol !== 'redis:' && parsed.protocol !== 'rediss:')
    throw new QueueError(`REDIS_URL has the scheme ${parsed.protocol}: use redis, rediss or unix`);
  const db = Number(parsed.pathname.slice(1) || '0');
  if (!Number.isInteger(db)) throw new QueueError(`REDIS_URL names the database "${parsed.pathname.slice(1)}": it must be a number`);
  return { ...patient, ...access, host: parsed.hostname, port: Number(parsed.port || '6379'), db, ...(parsed.protocol === 'rediss:' ? { tls: {} } : {}) };
}

/** The address in words, without its password: for errors. */
export function describeRedis(url: RedisUrl): string {
  const { path, host, port } = redisOptions(url);
  return path ?? `${String(host)}:${String(port)}`;
}
