import { metadataParts } from '@strata/model';
import { type MetadataAccess, type MetadataStore, MetadataStoreError } from '@strata/tasks';
import { Client, DatabaseError, escapeIdentifier } from 'pg';
import { inTime, noAnswer } from './metadata-call';
import { trusted } from './trust';

const connectMs = 10_000;
const answerMs = 20_000;
const lockMs = 15_000;

/** JuiceFS' tables, as its version 1.4 makes them; with a prefix of its own (`jfs_X_…`) they are another volume's. */
const tables = [
  'acl', 'change_log', 'chunk', 'chunk_ref', 'counter', 'delegation_token', 'delfile', 'delslices', 'detached_node', 'dir_quota', 'dir_stats', 'edge', 'flock', 'node', 'plock',
  'session', 'session2', 'setting', 'sustained', 'symlink', 'user_group_quota', 'xattr',
].map((name) => `jfs_${name}`); // prettier-ignore
/** Tables and views of whoever else uses the database; those of its extensions are nobody's. */
const others = `SELECT n.nspname || '.' || c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND NOT (n.nspname = current_schema() AND c.relname = ANY($1))
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
  ORDER BY 1 LIMIT 5`;
const counterNames = { nextchunk: 'nextChunk', nextinode: 'nextInode', nextsession: 'nextSession', files: 'totalInodes' } as const;

/** The metadata in a PostgreSQL: TLS verified in full, as JuiceFS is told with `sslmode=verify-full`. */
export function postgresMetadata(at: MetadataAccess): MetadataStore {
  const within = <T>(what: string, work: (sql: Client) => Promise<T>): Promise<T> => connected(at, what, work);
  return {
    look: () =>
      within('look', async (sql) => {
        const setting = await settingOf(sql);
        const found = setting === null ? (await sql.query<{ name: string }>(others, [tables])).rows : [];
        return { setting, others: found.map((r) => r.name), policy: null, engine: 'postgres' };
      }),
    trial: (name, text) =>
      within('write', async (sql) => {
        const table = escapeIdentifier(name.replace(/[^a-z0-9]/g, '_').slice(0, 60));
        return atomic(sql, async () => {
          await sql.query(`CREATE TABLE ${table} (id bigserial PRIMARY KEY, text bytea NOT NULL)`);
          await sql.query(`CREATE INDEX ON ${table} (text)`);
          await sql.query(`INSERT INTO ${table} (text) VALUES ($1)`, [Buffer.from(text)]);
          const { rows } = await sql.query<{ text: Buffer }>(`SELECT text FROM ${table}`);
          await sql.query(`DROP TABLE ${table}`);
          return rows[0]?.text.toString() ?? '';
        });
      }),
    counters: () =>
      within('read the counters', async (sql) => {
        const rows = (await settingOf(sql)) === null ? [] : (await sql.query<{ name: string; value: string }>('SELECT name, value FROM jfs_counter')).rows;
        const of = (key: keyof typeof counterNames): number => Number(rows.find((r) => r.name === counterNames[key])?.value ?? 0);
        return { nextchunk: of('nextchunk'), nextinode: of('nextinode'), nextsession: of('nextsession'), files: of('files') };
      }),
    raise: (to) =>
      within('raise the counters', (sql) =>
        atomic(sql, async () => {
          for (const key of ['nextchunk', 'nextinode', 'nextsession'] as const) {
            const { rowCount } = await sql.query('UPDATE jfs_counter SET value = GREATEST(value, $2) WHERE name = $1', [counterNames[key], to[key]]);
            if (rowCount !== 1) throw new MetadataStoreError('no-counter', `${at.url} has no counter ${counterNames[key]}`);
          }
        }),
      ),
    erase: () =>
      within('delete the tables', async (sql) => {
        await sql.query(`SET lock_timeout = ${lockMs}`);
        await sql.query(`DROP TABLE IF EXISTS ${tables.join(', ')}`);
      }),
  };
}

async function settingOf(sql: Client): Promise<string | null> {
  const there = await sql.query<{ is: boolean }>("SELECT to_regclass('jfs_setting') IS NOT NULL AS is");
  if (there.rows[0]?.is !== true) return null;
  return (await sql.query<{ value: string }>("SELECT value FROM jfs_setting WHERE name = 'format'")).rows[0]?.value ?? null;
}
async function atomic<T>(sql: Client, work: () => Promise<T>): Promise<T> {
  await sql.query('BEGIN');
  try {
    const done = await work();
    await sql.query('COMMIT');
    return done;
  } catch (error) {
    await sql.query('ROLLBACK').catch(() => undefined); // the connection ends in any case
    throw error;
  }
}
async function connected<T>(at: MetadataAccess, what: string, work: (sql: Client) => Promise<T>): Promise<T> {
  const { user, host, port, database } = metadataParts(at.url);
  const limits = { connectionTimeoutMillis: connectMs, query_timeout: answerMs, statement_timeout: answerMs };
  const ssl = { ca: trusted(at.caPem), host };
  const sql = new Client({ user, host, port, database, password: at.password, ssl, application_name: 'strata', ...limits });
  sql.on('error', () => undefined); // whoever waits for an answer is told
  try {
    return await inTime(at, async () => {
      await sql.connect();
      return work(sql);
    });
  } catch (error) {
    throw refusal(at, what, error as Error & { code?: string });
  } finally {
    await Promise.race([sql.end().catch(() => undefined), new Promise((resolve) => setTimeout(resolve, 1000).unref())]);
  }
}
function refusal(at: MetadataAccess, what: string, cause: Error & { code?: string }): MetadataStoreError {
  if (cause instanceof MetadataStoreError) return cause;
  if (cause instanceof DatabaseError) return new MetadataStoreError(cause.code ?? 'XX000', `${at.url} refuses to ${what}: ${cause.message.slice(0, 300)} (${cause.code ?? ''})`, cause);
  if (/does not support SSL/.test(cause.message)) return new MetadataStoreError('no-tls', `${at.url} does not speak TLS`, cause);
  return noAnswer(at, cause);
} // prettier-ignore
