import type { PoolConfig } from 'pg';

/** Where PostgreSQL is: a URL, or a unix socket's directory (embedded). */
export type Connection = { url: string } | { host: string; user: string; database: string };

/** How long one connection attempt, one statement and one wait for a lock may take (ms). */
export const deadlines = { connect: 5_000, statement: 30_000, lock: 10_000 } as const;

/** What `pg` wants to hear, with a deadline on everything. */
export function poolConfig(connection: Connection, name = 'strata'): PoolConfig {
  const where = 'url' in connection ? { connectionString: connection.url } : { host: connection.host, user: connection.user, database: connection.database };
  return {
    ...where,
    application_name: name,
    connectionTimeoutMillis: deadlines.connect,
    statement_timeout: deadlines.statement,
    lock_timeout: deadlines.lock,
    keepAlive: true,
  };
}

/** The connection in words, without its password: for errors. */
export function describeConnection(connection: Connection): string {
  if (!('url' in connection)) return `${connection.host} (database ${connection.database})`;
  try {
    const url = new URL(connection.url);
    return `${url.hostname}${url.port ? `:${url.port}` : ''}${url.pathname}`;
  } catch {
    return 'the address in DATABASE_URL, which is no URL';
  }
}
