import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { QueueError, type RedisUrl } from './connection';

/** Our own Redis: its data under one directory, reachable only by a unix socket. */
export interface RedisHome {
  dir: string;
  config: string;
  socket: string;
  url: RedisUrl;
  account: { uid: number; gid: number } | undefined; // whom it runs as; undefined: as ourselves
}

function account(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const passwd = readFileSync('/etc/passwd', 'utf8');
  for (const name of ['redis', 'nobody']) {
    const row = new RegExp(`^${name}:[^:]*:(\\d+):(\\d+):`, 'm').exec(passwd);
    if (row) return { uid: Number(row[1]), gid: Number(row[2]) };
  }
  return undefined;
}

/** Makes `dir` ready to run Redis in: our own configuration, access for our account only. Throws when the socket's path is too long. */
export function prepareRedis(dir: string): RedisHome {
  const [config, socket, as] = [join(dir, 'redis.conf'), join(dir, 'redis.sock'), account()];
  if (Buffer.byteLength(socket) > 107) throw new QueueError(`the path ${socket} is too long for a unix socket (107 bytes): choose a shorter --home`);
  if (/[\s"'\\]/.test(dir)) throw new QueueError(`Redis cannot be told a directory with spaces or quotes (${dir}): choose another --home`);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  chmodSync(dir, 0o700);
  const lines = [
    ...['port 0', `unixsocket ${socket}`, 'unixsocketperm 700', `dir ${dir}`, 'daemonize no', 'logfile ""', 'save ""'],
    ...['appendonly yes', 'appendfsync everysec', 'maxmemory-policy noeviction', 'databases 1', 'always-show-logo no', 'set-proc-title no'],
  ];
  writeFileSync(config, `${lines.join('\n')}\n`, { mode: 0o600 });
  if (as) for (const own of [dir, config]) chownSync(own, as.uid, as.gid);
  return { dir, config, socket, url: `unix://${encodeURI(socket)}`, account: as };
}

/** How to run it: in the foreground, writing its log to stdout. */
export function redisCommand(
  home: RedisHome,
  program: string,
): { program: string; args: string[]; cwd: string; env: Record<string, string>; uid?: number; gid?: number } {
  return { program, args: [home.config], cwd: home.dir, env: { PATH: '/usr/bin:/bin', LANG: 'C' }, ...home.account };
}

/** The `redis-server` of this machine, if it has one. */
export function findRedis(path = process.env.PATH ?? ''): string | undefined {
  return [...path.split(':'), '/usr/bin', '/usr/local/bin', '/usr/sbin'].map((d) => join(d, 'redis-server')).find((program) => existsSync(program));
}

/** The process id of the Redis behind our socket, or undefined when none answers within 2 s. */
export async function redisPid(home: RedisHome): Promise<number | undefined> {
  if (!existsSync(home.socket)) return undefined;
  const redis = new Redis({
    path: home.socket,
    lazyConnect: true,
    connectTimeout: 2_000,
    commandTimeout: 2_000,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  redis.on('error', () => undefined);
  try {
    await redis.connect();
    const pid = /^process_id:(\d+)/m.exec(await redis.info('server'))?.[1];
    return pid === undefined ? undefined : Number(pid);
  } catch {
    return undefined;
  } finally {
    redis.disconnect();
  }
}
