import { readFileSync } from 'node:fs';
import { type CliError, usage } from '../cli-error';
import { type ConfigFile, configPath, readConfig } from './config-file';
import { expandHome } from './paths';

/** How to reach one control server. */
export interface ServerContext {
  name: string;
  url: string;
  caPem?: string | undefined;
  caPin?: string | undefined;
  token: string;
  from: string; // for people: what said so
  home?: string | undefined; // of a server on this host
}
export interface Asked {
  context?: string | undefined;
}
type Env = Readonly<Record<string, string | undefined>>;

/**
 * Which server is meant: `--context`; else STRATA_SERVER with STRATA_TOKEN_FILE and STRATA_CA_FILE (or STRATA_CA_PIN); else the current context of
 * ~/.config/strata/config.yaml. @throws CliError that says `strata up`
 */
export function resolveContext(asked: Asked, env: Env): ServerContext {
  if (asked.context === undefined && env.STRATA_SERVER) return ofEnvironment(env);
  const path = configPath(env);
  const config = readConfig(path);
  const name = asked.context ?? config?.current;
  if (!config || name === undefined) throw noServer(path);
  const found = config.contexts[name];
  if (!found)
    throw usage(
      `there is no context "${name}" in ${path}`,
      `it has: ${Object.keys(config.contexts).join(', ') || 'none'}; \`strata up\` makes one for a server on this host`,
    );
  return { name, ...credentials(found, env, path), url: urlOf(found.server), home: found.home, from: `context "${name}" of ${path}` };
}

function ofEnvironment(env: Env): ServerContext {
  if (!env.STRATA_TOKEN_FILE)
    throw usage('STRATA_SERVER is set, but not STRATA_TOKEN_FILE', 'set STRATA_TOKEN_FILE to a file with a token of that server (secrets/admin.token)');
  return {
    name: 'environment',
    url: urlOf(env.STRATA_SERVER ?? ''),
    token: readSecret(env.STRATA_TOKEN_FILE, 'STRATA_TOKEN_FILE', env),
    caPem: env.STRATA_CA_FILE ? readSecret(env.STRATA_CA_FILE, 'STRATA_CA_FILE', env) : undefined,
    caPin: env.STRATA_CA_PIN,
    from: 'STRATA_SERVER',
  };
}

function credentials(found: ConfigFile['contexts'][string], env: Env, path: string): Pick<ServerContext, 'token' | 'caPem' | 'caPin'> {
  const token = found.token ?? (found.tokenFile === undefined ? undefined : readSecret(found.tokenFile, `tokenFile in ${path}`, env));
  if (token === undefined)
    throw usage(`the context for ${found.server} in ${path} has neither token nor tokenFile`, 'add one of them, or run `strata up` again');
  return { token, caPem: found.ca, caPin: found.caPin };
}

function readSecret(path: string, what: string, env: Env): string {
  try {
    return readFileSync(expandHome(path, env), 'utf8').trim();
  } catch (cause) {
    throw usage(
      `${what}: ${path} cannot be read: ${(cause as Error).message}`,
      'is the server of another user, or was its directory moved? Name the right file',
      cause,
    );
  }
}

/** `host:port` means https. */
function urlOf(server: string): string {
  const text = server.includes('://') ? server : `https://${server}`;
  if (!URL.canParse(text)) throw usage(`"${server}" is not an address of a server`, 'write https://HOST:PORT');
  return new URL(text).origin;
}

const noServer = (path: string): CliError =>
  usage(
    `no control server is known: neither --context, nor STRATA_SERVER, nor ${path}`,
    'start one on this host with `strata up`, or set STRATA_SERVER and STRATA_TOKEN_FILE',
  );
