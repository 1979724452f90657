import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { poolConfig, type Connection } from './connection';

const lockId = 7443_0001; // advisory locks belong to a database: another Strata in another database is not disturbed

export interface ServerLock {
  release(): Promise<void>;
}
export interface ServerLockOptions {
  /** Told once, when another server has the lock. */
  onWaiting?: () => void;
  /** The lock is gone and another server may have it: stop working at once. */
  onLost: (because: string) => void;
  signal?: AbortSignal;
  /** How long PostgreSQL may be away before the lock counts as lost (ms). */
  graceMs?: number;
}

async function open(connection: Connection): Promise<Client> {
  const client = new Client(poolConfig(connection, 'strata-server-lock'));
  client.on('error', () => undefined); // 'end' follows
  await client.connect();
  return client;
}
async function tryLock(client: Client): Promise<boolean> {
  const { rows } = await client.query<{ ok: boolean }>('SELECT pg_try_advisory_lock($1) AS ok', [lockId]);
  return rows[0]?.ok === true;
}

/**
 * One server at a time: waits until no other has the lock. It lives on its own connection; when PostgreSQL restarts it is taken again,
 * and only if another server was faster, or PostgreSQL stays away, it is lost. Rejects when the signal aborts.
 */
export async function takeServerLock(connection: Connection, options: ServerLockOptions): Promise<ServerLock> {
  const { onWaiting, onLost, signal, graceMs = 30_000 } = options;
  let client: Client | undefined;
  let released = false;

  const take = async (until: number): Promise<boolean> => {
    for (let told = false; performance.now() < until; await sleep(250, undefined, { signal })) {
      const candidate = await open(connection).catch(() => undefined);
      if (!candidate) continue;
      while (performance.now() < until) {
        const ok = await tryLock(candidate).catch(() => undefined);
        if (ok === undefined) break;
        if (ok) {
          client = candidate;
          return true;
        }
        if (!told) onWaiting?.();
        told = true;
        await sleep(250, undefined, { signal }).catch(async (error: unknown) => {
          await candidate.end().catch(() => undefined);
          throw error;
        });
      }
      await candidate.end().catch(() => undefined);
    }
    return false;
  };
  const watch = (): void => {
    client?.once('end', () => {
      if (released) return;
      void take(performance.now() + graceMs).then(
        (again) => (again ? (released ? client?.end() : watch()) : onLost('PostgreSQL was away, and another server may have taken over')),
        (error: unknown) => onLost(String(error)),
      );
    });
  };
  await take(Infinity);
  watch();
  return {
    release: async () => {
      released = true;
      await client?.end().catch(() => undefined);
    },
  };
}
