import { existsSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { Connection } from '@strata/store';
import { z } from 'zod';

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
  database: Connection;
  redisUrl: string;
  agentFile: string;
  catalogDir: string;
  bundleDir: string;
  artifactDir: string;
  mirrorDirs: string[];
  logLevel: string;
}

const Port = z.coerce.number().int().min(0).max(65535);
const list = z.string().transform((text) => text.split(',').map((s) => s.trim()).filter(Boolean)); // prettier-ignore
const Environment = z.object({
  STRATA_HOME: z.string().default('/var/lib/strata-server'),
  STRATA_ADVERTISE: list.default([]),
  STRATA_API_HOST: z.string().default('127.0.0.1'),
  STRATA_LISTEN_HOST: z.string().default('0.0.0.0'),
  STRATA_API_PORT: Port.default(7443),
  STRATA_AGENT_PORT: Port.default(7444),
  STRATA_ARTIFACT_PORT: Port.default(7445),
  STRATA_ENROLL_PORT: Port.default(7446),
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }).optional(),
  REDIS_URL: z.url({ protocol: /^(rediss?|unix)$/ }).optional(),
  STRATA_AGENT_FILE: z.string().optional(),
  STRATA_CATALOG: z.string().optional(),
  STRATA_BUNDLES: z.string().optional(),
  STRATA_CACHE: z.string().optional(),
  STRATA_MIRRORS: list.default([]),
  STRATA_LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
});

/**
 * Settings from the environment and the command line (`--home`, `--advertise`); the command line wins.
 * @throws Error that names every setting that is wrong.
 */
export function loadSettings(env: NodeJS.ProcessEnv, argv: readonly string[]): Settings {
  const { values } = parseArgs({ args: [...argv], options: { home: { type: 'string' }, advertise: { type: 'string', multiple: true } }, strict: true });
  const parsed = Environment.safeParse({
    ...env,
    ...(values.home === undefined ? {} : { STRATA_HOME: values.home }),
    ...(values.advertise === undefined ? {} : { STRATA_ADVERTISE: values.advertise.join(',') }),
  });
  if (!parsed.success) throw new Error(`these settings are wrong: ${parsed.error.issues.map((i) => `${i.path.join('.')}: ${i.message}`).join('; ')}`);
  const e = parsed.data;
  if (!['127.0.0.1', '::1', 'localhost'].includes(e.STRATA_API_HOST) && e.STRATA_API_HOST.startsWith('http'))
    throw new Error('STRATA_API_HOST is a host, not an address with http');
  const home = resolve(e.STRATA_HOME);
  return {
    home,
    advertise: e.STRATA_ADVERTISE,
    listen: {
      api: { host: e.STRATA_API_HOST, port: e.STRATA_API_PORT },
      agents: { host: e.STRATA_LISTEN_HOST, port: e.STRATA_AGENT_PORT },
      artifacts: { host: e.STRATA_LISTEN_HOST, port: e.STRATA_ARTIFACT_PORT },
      enrollment: { host: e.STRATA_LISTEN_HOST, port: e.STRATA_ENROLL_PORT },
    },
    database: e.DATABASE_URL === undefined ? { host: join(home, 'pg/run'), user: 'strata', database: 'strata' } : { url: e.DATABASE_URL },
    redisUrl: e.REDIS_URL ?? `unix://${encodeURI(join(home, 'redis/redis.sock'))}`,
    agentFile: e.STRATA_AGENT_FILE ?? beside('apps/agent/dist-bundle/stratad'),
    catalogDir: e.STRATA_CATALOG ?? beside('catalog'),
    bundleDir: e.STRATA_BUNDLES ?? beside('bundles'),
    artifactDir: join(e.STRATA_CACHE ?? '/var/cache/strata', 'artifacts'),
    mirrorDirs: e.STRATA_MIRRORS,
    logLevel: e.STRATA_LOG_LEVEL,
  };
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
