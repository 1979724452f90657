import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { keysOf } from './redis';
import type { Sql } from './sql';

/** Secret texts by what they are. */
export type Canaries = ReadonlyMap<string, string>;

/** `what in where` for each canary in a text: never the canary itself. Also looks for it in hex and base64. */
export function leaksIn(canaries: Canaries, where: string, text: string | Buffer): string[] {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text;
  return [...canaries].flatMap(([what, value]) => {
    const forms = [value, Buffer.from(value).toString('hex'), Buffer.from(value).toString('base64').replace(/=+$/, '').slice(0, -1)];
    return forms.some((form) => bytes.includes(form)) ? [`${what} in ${where}`] : [];
  });
}
export function* filesUnder(dir: string): Generator<string> {
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) yield* filesUnder(path);
    else if (entry.isFile()) yield path;
  }
}
/** Every file under `dir`, raw: databases, append-only files, logs. */
export function leaksInFiles(canaries: Canaries, dir: string, leaveOut: (path: string) => boolean): string[] {
  return [...filesUnder(dir)].filter((path) => !leaveOut(path)).flatMap((path) => {
    try {
      return leaksIn(canaries, path, readFileSync(path));
    } catch {
      return []; // gone meanwhile
    }
  });
} // prettier-ignore
/** Files that everybody may read, by their own mode and that of every directory above them up to `top`. */
export function readableByAll(top: string): string[] {
  const open = (path: string): boolean => path === top || ((statSync(path).mode & 0o001) !== 0 && open(join(path, '..')));
  return [...filesUnder(top)].filter((path) => (statSync(path).mode & 0o004) !== 0 && open(join(path, '..')));
}
/** Every row of every table as text. */
export async function leaksInTables(canaries: Canaries, sql: Sql): Promise<string[]> {
  const tables = await sql.rows<{ name: string }>(`SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'`);
  const found: string[] = [];
  for (const { name } of tables)
    for (const { row } of await sql.rows<{ row: string }>(`SELECT t::text AS row FROM "${name}" t`)) found.push(...leaksIn(canaries, `table ${name}`, row));
  return [...new Set(found)];
}
/** Every key of Redis, its name and its value as DUMP writes it (uncompressed). */
export async function leaksInRedis(canaries: Canaries, redis: Redis): Promise<string[]> {
  await redis.config('SET', 'rdbcompression', 'no');
  const found: string[] = [];
  for (const key of await keysOf(redis)) {
    const value = await redis.dumpBuffer(key);
    found.push(...leaksIn(canaries, `Redis key ${key}`, key), ...(value ? leaksIn(canaries, `Redis value of ${key}`, value) : []));
  }
  return found;
}

/** Looks at the arguments of all processes again and again until it is stopped. Light: the simulated nodes share this process. */
export function watchArguments(canaries: Canaries, everyMs = 150): { stop: () => { looks: number; leaks: string[] } } {
  let looks = 0;
  const leaks = new Set<string>();
  const seen = new Set<string>();
  const look = (): void => {
    looks += 1;
    for (const pid of readdirSync('/proc')) {
      if (!/^\d+$/.test(pid)) continue;
      try {
        seen.add(readFileSync(`/proc/${pid}/cmdline`, 'latin1'));
      } catch {
        // it ended meanwhile
      }
    }
  };
  const timer = setInterval(look, everyMs);
  return {
    stop: () => {
      clearInterval(timer);
      for (const leak of leaksIn(canaries, 'the arguments of a process', [...seen].join('\n'))) leaks.add(leak);
      return { looks, leaks: [...leaks] };
    },
  };
}
