import { existsSync, statSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { Connection } from '@strata/store';
import { HostOrIp, serverPorts } from '@strata/model';
import { z } from 'zod';
import { gather, SettingsError, type Gathered } from './settings-sources';

export { SettingsError } from './settings-sources';

export interface ListenerAt {
  host: string;
  port: number; // 0: any free one, written to run/ports.json
}
/** Everything that a control server is told from outside. */
export interface Settings {
  home: string;
  /** Names or addresses under which nodes reach this host, tried in this order; empty: this host's own addresses. */
  advertise: string[];
  listen: { api: ListenerAt; agents: ListenerAt; enrollment: ListenerAt; artifacts: ListenerAt };
  /** A socket's directory: our own PostgreSQL. A URL: somebody else's. */
  database: Connection;
  /** A socket: our own Redis. A URL: somebody else's. */
  redis: { url: string } | { path: string };
  agentFile: string;
  catalogDir: string;
  bundleDir: string;
  /** Bundles that came in bundle files. */
  pushedDir: string;
  artifactDir: string;
  mirrorDirs: string[]; // looked at before any download
  logLevel: string;
}

const Directory = z.string().regex(/^\//, 'must be an absolute path');
const Port = z.union([z.number(), z.string().regex(/^\d+$/).transform(Number)], 'must be a port: a whole number from 0 (any free one) to 65535').pipe(
  z.int().min(0).max(65535),
); // prettier-ignore
const Address = z.union([z.ipv4(), z.ipv6(), z.literal('localhost')], 'must be an address of this host, such as 127.0.0.1, or 0.0.0.0 for all');
const many = (separator: string) => z.union([z.array(z.string()), z.string().transform((text) => text.split(separator).map((s) => s.trim()).filter(Boolean))]); // prettier-ignore

const Values = z.strictObject({
  home: Directory,
  advertise: many(',').pipe(z.array(HostOrIp)).default([]),
  apiAddress: Address.default('127.0.0.1'),
  nodeAddress: Address.default('0.0.0.0'),
  apiPort: Port.default(serverPorts.apiPort.port),
  agentPort: Port.default(serverPorts.agentPort.port),
  artifactPort: Port.default(serverPorts.artifactPort.port),
  enrollPort: Port.default(serverPorts.enrollPort.port),
  databaseUrl: z.url({ protocol: /^postgres(ql)?$/, error: 'must look like postgresql://user:password@host/database' }).optional(),
  redisUrl: z.url({ protocol: /^(rediss?|unix)$/, error: 'must look like redis://user:password@host:6379, rediss://… or unix:///path' }).optional(),
  cacheDir: Directory.default('/var/cache/strata'),
  catalogDir: Directory.optional(),
  bundleDir: Directory.optional(),
  agentFile: Directory.optional(),
  mirrorDirs: many(':').pipe(z.array(Directory)).default([]),
  logLevel: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
});
export const defaultHome = '/var/lib/strata-server';

/**
 * The settings: defaults, then HOME/server.yaml, then the environment, then the command line; the last one wins.
 * @param env see `settings-sources.ts` for the names; `DATABASE_URL_FILE` and `REDIS_URL_FILE` name files that hold the URL.
 * @param argv flags only, as `--home DIR --advertise ADDRESS`.
 * @throws SettingsError that names every wrong setting, where it was set, and what it must be.
 */
export function loadSettings(env: NodeJS.ProcessEnv, argv: readonly string[]): Settings {
  const gathered = gather(env, argv, defaultHome);
  const parsed = Values.safeParse(gathered.values);
  const wrong = [...gathered.wrong];
  if (!parsed.success) {
    for (const issue of parsed.error.issues) {
      if (issue.code === 'unrecognized_keys')
        for (const key of issue.keys) wrong.push(`${key} (${gathered.file}): there is no such setting; there are ${Object.keys(Values.shape).join(', ')}`);
      else wrong.push(`${String(issue.path[0])} (${gathered.from(String(issue.path[0]))}): ${issue.message}`);
    }
  } else wrong.push(...clashes(parsed.data, gathered));
  if (wrong.length > 0 || !parsed.success) throw new SettingsError(`wrong settings; nothing was started:\n  ${wrong.join('\n  ')}`);
  const v = parsed.data;
  const home = resolve(v.home);
  return {
    home,
    advertise: v.advertise,
    listen: {
      api: { host: v.apiAddress, port: v.apiPort },
      agents: { host: v.nodeAddress, port: v.agentPort },
      artifacts: { host: v.nodeAddress, port: v.artifactPort },
      enrollment: { host: v.nodeAddress, port: v.enrollPort },
    },
    database: v.databaseUrl === undefined ? { host: join(home, 'pg/run'), user: 'strata', database: 'strata' } : { url: v.databaseUrl },
    redis: v.redisUrl === undefined ? { path: join(home, 'redis/redis.sock') } : { url: v.redisUrl },
    agentFile: v.agentFile ?? beside('apps/agent/dist-bundle/stratad'),
    catalogDir: v.catalogDir ?? beside('catalog'),
    bundleDir: v.bundleDir ?? beside('bundles'),
    pushedDir: join(home, 'pushed-bundles'), // state, not cache: it came from outside once
    artifactDir: join(v.cacheDir, 'artifacts'),
    mirrorDirs: v.mirrorDirs,
    logLevel: v.logLevel,
  };
}

/** What is wrong between settings that are each well formed. */
function clashes(v: z.infer<typeof Values>, { from, file }: Gathered): string[] {
  const wrong: string[] = [];
  const ports = (['apiPort', 'agentPort', 'artifactPort', 'enrollPort'] as const).filter((name) => v[name] !== 0);
  for (const [i, name] of ports.entries()) {
    const first = ports.slice(0, i).find((other) => v[other] === v[name]);
    if (first) wrong.push(`${name} (${from(name)}): ${v[name]} is also ${first} (${from(first)}); give each listener its own port`);
  }
  for (const name of ['databaseUrl', 'redisUrl'] as const) {
    const url = v[name];
    if (url !== undefined && from(name) === file && new URL(url).password !== '' && (statSync(file).mode & 0o077) !== 0)
      wrong.push(`${name} (${file}): holds a password in a file that others can read; chmod 600 ${file}`);
  }
  return wrong;
}

/** A path of the installation: beside the sources, or beside the bundles. */
function beside(path: string): string {
  for (let dir = __dirname; dir !== dirname(dir); dir = dirname(dir)) if (existsSync(join(dir, 'prisma/schema.prisma'))) return join(dir, path);
  return resolve(path);
}

/** This host's own IPv4 addresses that others may reach. */
export const ownAddresses = (): string[] =>
  Object.values(networkInterfaces())
    .flat()
    .filter((a) => a !== undefined && a.family === 'IPv4' && !a.internal && !a.address.startsWith('169.254.'))
    .map((a) => a?.address ?? '');
