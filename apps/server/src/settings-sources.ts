import { existsSync, readFileSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { LineCounter, parseDocument } from 'yaml';

/** Settings that cannot be used; the message names each wrong one, where it was set, and what it must be. */
export class SettingsError extends Error {
  override name = 'SettingsError';
}

/** Environment variable -> setting. A setting has the same name in server.yaml. */
const variables: Record<string, string> = {
  STRATA_ADVERTISE: 'advertise', // separated by commas
  STRATA_API_ADDRESS: 'apiAddress',
  STRATA_NODE_ADDRESS: 'nodeAddress',
  STRATA_API_PORT: 'apiPort',
  STRATA_AGENT_PORT: 'agentPort',
  STRATA_ARTIFACT_PORT: 'artifactPort',
  STRATA_ENROLL_PORT: 'enrollPort',
  DATABASE_URL: 'databaseUrl',
  REDIS_URL: 'redisUrl',
  STRATA_CACHE: 'cacheDir',
  STRATA_CATALOG: 'catalogDir',
  STRATA_BUNDLES: 'bundleDir',
  STRATA_AGENT_FILE: 'agentFile',
  STRATA_MIRRORS: 'mirrorDirs', // separated by colons
  STRATA_LOG_LEVEL: 'logLevel',
};
/** Variables that name a file with the value: for secrets. */
const fileVariables: Record<string, string> = { DATABASE_URL_FILE: 'DATABASE_URL', REDIS_URL_FILE: 'REDIS_URL' };
/** Flag -> setting. No secret has a flag: arguments are seen by everybody. */
const flags: Record<string, string> = {
  home: 'home',
  advertise: 'advertise', // may be repeated
  'api-address': 'apiAddress',
  'node-address': 'nodeAddress',
  'api-port': 'apiPort',
  'agent-port': 'agentPort',
  'artifact-port': 'artifactPort',
  'enroll-port': 'enrollPort',
  cache: 'cacheDir',
  'log-level': 'logLevel',
};

export interface Gathered {
  values: Record<string, unknown>;
  wrong: string[];
  file: string;
  /** Where a setting was set, in words: a variable, a flag, or the file. */
  from: (setting: string) => string;
}

/** Reads the file, the environment and the flags into one record; the last one wins. What cannot be read at all is in `wrong`. */
export function gather(env: NodeJS.ProcessEnv, argv: readonly string[], defaultHome: string): Gathered {
  const wrong: string[] = [];
  const origin = new Map<string, string>();
  const given = readFlags(argv, wrong);
  const home = resolve(String(given.home ?? (env.STRATA_HOME || defaultHome)));
  const file = join(home, 'server.yaml');
  const values = readYaml(file, wrong);
  const set = (setting: string, value: unknown, where: string): void => {
    values[setting] = value;
    origin.set(setting, where);
  };
  if ('home' in values) wrong.push(`home (${file}): a home cannot name another; use STRATA_HOME or --home`);
  for (const [variable, setting] of Object.entries(variables)) if (env[variable]) set(setting, env[variable], variable);
  for (const [variable, plain] of Object.entries(fileVariables)) {
    const path = env[variable];
    if (!path) continue;
    if (!isAbsolute(path)) wrong.push(`${variable}: ${path} must be an absolute path: supervisor and server have other working directories than your shell`);
    if (env[plain]) wrong.push(`${variable}: ${plain} is set as well; unset one of them`);
    try {
      set(variables[plain] ?? plain, readFileSync(path, 'utf8').trim(), `${variable}, which is ${path}`);
    } catch (error) {
      wrong.push(`${variable}: ${path} cannot be read (${(error as NodeJS.ErrnoException).code}); name a file that holds the URL`);
    }
  }
  for (const [flag, value] of Object.entries(given)) set(flags[flag] ?? flag, value, `--${flag}`);
  set('home', home, given.home === undefined ? 'STRATA_HOME' : '--home');
  return { values, wrong, file, from: (setting) => origin.get(setting) ?? file };
}

function readFlags(argv: readonly string[], wrong: string[]): Record<string, string | string[]> {
  const options = Object.fromEntries(Object.keys(flags).map((flag) => [flag, { type: 'string' as const, multiple: flag === 'advertise' }]));
  try {
    const { values } = parseArgs({ args: [...argv], options, strict: true });
    const given: Record<string, string | string[]> = {};
    for (const [flag, value] of Object.entries(values)) {
      if (Array.isArray(value)) given[flag] = value.flatMap((v) => String(v).split(','));
      else if (typeof value === 'string') given[flag] = value;
    }
    return given;
  } catch (error) {
    wrong.push(`command line: ${error instanceof Error ? error.message : String(error)}; the flags are ${Object.keys(flags).map((f) => `--${f}`).join(', ')}`); // prettier-ignore
    return {};
  }
}

function readYaml(path: string, wrong: string[]): Record<string, unknown> {
  if (!existsSync(path)) return {};
  const lines = new LineCounter();
  const document = parseDocument(readFileSync(path, 'utf8'), { lineCounter: lines, uniqueKeys: true });
  for (const error of document.errors) {
    const { line, col } = lines.linePos(error.pos[0]);
    wrong.push(`${path}:${line}:${col}: ${(error.message.split('\n')[0] ?? '').replace(/ at line \d+, column \d+:?$/, '')}`);
  }
  if (document.errors.length > 0) return {};
  const value: unknown = document.toJS({ maxAliasCount: 10 }) ?? {};
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  wrong.push(`${path}: must hold settings by name, such as "logLevel: debug"`);
  return {};
}
