import { metadataParts } from '@strata/model';
import { type MetadataAccess, type MetadataStore, MetadataStoreError } from '@strata/tasks';
import { Redis } from 'ioredis';
import { inTime, noAnswer } from './metadata-call';
import { trusted } from './trust';

const connectMs = 10_000;
const answerMs = 20_000;
/** Keys that a scan is asked for at a time. */
const atOnce = 1000;

const single = new Set([
  'setting', 'nextinode', 'nextchunk', 'nextsession', 'nextTrash', 'nextCleanupSlices', 'usedSpace', 'totalInodes', 'delfiles', 'delSlices', 'detachedNodes', 'sessions', 'allSessions',
  'sessionInfos', 'sliceRef', 'acl', 'aclMaxId', 'dirDataLength', 'dirUsedSpace', 'dirUsedInodes', 'lastCleanupFiles', 'lastCleanupSessions', 'lastCleanupTrash', 'lastCleanupDetachedNodes',
  ...['dir', 'user', 'group'].flatMap((of) => ['', 'UsedSpace', 'UsedInodes'].map((what) => `${of}Quota${what}`)),
]); // prettier-ignore
/** Whether a key is one that JuiceFS makes. */
export const isJuicefs = (key: string): boolean => single.has(key) || /^([idpsx]\d+|[ck]\d+_\d+|lock[fp]\d+|session\d+|locked\d+)$/.test(key);
const counterKeys = ['nextchunk', 'nextinode', 'nextsession'] as const;

/** The metadata in a database of one Redis, by TLS. */
export function redisMetadata(at: MetadataAccess): MetadataStore {
  const within = <T>(what: string, work: (redis: Redis) => Promise<T>): Promise<T> => connected(at, what, work);
  return {
    look: () =>
      within('look', async (redis) => {
        const setting = await redis.get('setting');
        const found: string[] = [];
        if (setting === null) await scan(redis, (keys) => Promise.resolve(void found.push(...keys.filter((key) => !isJuicefs(key)))), () => found.length >= 5);
        return { setting, others: found.slice(0, 5), policy: await policyOf(redis), engine: 'redis' };
      }),
    trial: (name, text) =>
      within('write', async (redis) => {
        await redis.watch(name);
        const answers = await redis.multi().set(name, text, 'EX', 60).get(name).del(name).exec(); // as JuiceFS changes everything
        const failed = answers?.find(([error]) => error !== null)?.[0];
        if (failed) throw failed;
        const read = answers?.[1]?.[1];
        return typeof read === 'string' ? read : '';
      }),
    counters: () =>
      within('read the counters', async (redis) => {
        const [nextchunk, nextinode, nextsession, files] = (await redis.mget(...counterKeys, 'totalInodes')).map((value) => Number(value ?? 0));
        return { nextchunk: nextchunk ?? 0, nextinode: nextinode ?? 0, nextsession: nextsession ?? 0, files: files ?? 0 };
      }),
    raise: (to) =>
      within('raise the counters', async (redis) => {
        await redis.watch(...counterKeys);
        const are = await redis.mget(...counterKeys);
        const all = redis.multi();
        counterKeys.forEach((key, i) => void all.set(key, String(Math.max(Number(are[i] ?? 0), to[key]))));
        const done = await all.exec();
        const failed = done?.find(([error]) => error !== null)?.[0];
        if (failed) throw failed;
        if (done === null) throw new MetadataStoreError('changed', `${at.url}: somebody changes the counters at the same time`);
      }),
    erase: () =>
      within('delete the keys', async (redis) => {
        const last: string[] = []; // whose they are is known until all others are gone
        await scan(redis, async (keys) => {
          const ours = keys.filter((key) => isJuicefs(key) && key !== 'setting');
          last.push(...keys.filter((key) => key === 'setting'));
          if (ours.length > 0) await redis.unlink(...ours);
        });
        if (last.length > 0) await redis.unlink(...last);
      }),
  };
} // prettier-ignore

async function scan(redis: Redis, each: (keys: string[]) => Promise<void>, enough = () => false): Promise<void> {
  let cursor = '0';
  do {
    const [next, keys] = await redis.scan(cursor, 'COUNT', atOnce);
    cursor = next;
    await each(keys);
  } while (cursor !== '0' && !enough());
}
/** What it does when its memory is full, as far as it tells this user. @throws MetadataStoreError for a Redis that is many: their keys would not be found */
async function policyOf(redis: Redis): Promise<string | null> {
  const info = await redis.info().catch(() => '');
  if (/^cluster_enabled:1/m.test(info)) throw new MetadataStoreError('cluster', 'it is a Redis Cluster');
  return /^maxmemory_policy:(\S+)/m.exec(info)?.[1] ?? null;
}
async function connected<T>(at: MetadataAccess, what: string, work: (redis: Redis) => Promise<T>): Promise<T> {
  const { user, host, port, database } = metadataParts(at.url);
  const limits = { connectTimeout: connectMs, commandTimeout: answerMs, maxRetriesPerRequest: 0, retryStrategy: () => null };
  const as = { username: user, password: at.password, connectionName: 'strata' };
  const redis = new Redis({ host, port, tls: { ca: trusted(at.caPem) }, lazyConnect: true, enableReadyCheck: false, ...as, ...limits });
  let last: Error | null = null;
  redis.on('error', (error: Error) => (last ??= error)); // what the connection was refused for
  try {
    return await inTime(at, async () => {
      await redis.connect();
      await redis.select(Number(database)); // by itself the client would stay in another one without a word
      return work(redis);
    });
  } catch (error) {
    throw refusal(at, what, last ?? (error as Error));
  } finally {
    redis.disconnect();
  }
}
function refusal(at: MetadataAccess, what: string, error: Error & { code?: string; previousErrors?: Error[] }): MetadataStoreError {
  const cause = error.previousErrors?.[0] ?? error; // what a transaction was given up for
  if (cause instanceof MetadataStoreError) return cause;
  const word = /^(?:ReplyError: )?([A-Z]{2,})\b/.exec(cause.message)?.[1];
  if (cause.name === 'ReplyError' && word !== undefined) return new MetadataStoreError(/DB index/.test(cause.message) ? 'no-database' : word, `${at.url} refuses to ${what}: ${cause.message.slice(0, 300)}`, cause);
  return noAnswer(at, cause);
} // prettier-ignore
