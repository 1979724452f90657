import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { poolConfig, type Connection } from './connection';

/**
 * Calls `onAppended` with the run's id after each append, by any process. After a connection was lost it calls with `null`: look at every run,
 * for notifications may have been missed. Reconnects for ever (0.1 to 2 s). Resolves when listening; the returned function ends it.
 */
export async function listenForAppends(connection: Connection, onAppended: (runId: string | null) => void): Promise<() => Promise<void>> {
  const stop = new AbortController();
  let client: Client | undefined;

  const connect = async (): Promise<void> => {
    const next = new Client({ ...poolConfig(connection, 'strata-listen'), keepAlive: true });
    next.on('error', () => undefined); // 'end' follows
    next.on('notification', ({ payload }) => onAppended(payload ?? null));
    await next.connect();
    await next.query('LISTEN strata_run');
    client = next;
    next.once('end', () => {
      if (!stop.signal.aborted) void reconnect();
    });
  };
  const reconnect = async (): Promise<void> => {
    for (let pause = 100; !stop.signal.aborted; pause = Math.min(pause * 2, 2000)) {
      await sleep(pause, undefined, { signal: stop.signal }).catch(() => undefined);
      if (stop.signal.aborted) return;
      try {
        await connect();
        onAppended(null);
        return;
      } catch {
        continue; // PostgreSQL is still away
      }
    }
  };
  await connect();
  return async () => {
    stop.abort();
    await client?.end().catch(() => undefined);
  };
}
