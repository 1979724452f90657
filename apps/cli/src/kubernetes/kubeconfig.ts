import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, dirname } from 'node:path';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { usage } from '../cli-error';
import { expandHome } from '../context/paths';
import type { Terminal } from '../terminal';

const Named = z.looseObject({ name: z.string() });
const Kubeconfig = z.looseObject({
  clusters: z.array(Named).nullish(),
  users: z.array(Named).nullish(),
  contexts: z.array(Named.extend({ context: z.looseObject({ cluster: z.string(), user: z.string(), extensions: z.array(Named).nullish() }) })).nullish(),
  'current-context': z.string().nullish(),
});
type Kubeconfig = z.infer<typeof Kubeconfig>;
export interface OwnKubeconfig {
  config: Kubeconfig;
  text: string;
  context: string;
}

/** A cluster's kubeconfig under names of its own (`strata-NAME`), so that several clusters fit into one file. */
export function readKubeconfig(text: string, cluster: string): OwnKubeconfig {
  const given = Kubeconfig.parse(parse(text));
  const name = `strata-${cluster}`;
  const current = given.contexts?.find((c) => c.name === given['current-context']) ?? given.contexts?.[0];
  const [ofCluster, user] = [given.clusters?.find((c) => c.name === current?.context.cluster), given.users?.find((u) => u.name === current?.context.user)];
  if (!current || !ofCluster || !user)
    throw usage('the kubeconfig that the server gave has no context with cluster and user', 'look at the log of the control server');
  const config: Kubeconfig = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ ...ofCluster, name }],
    users: [{ ...user, name }],
    contexts: [{ ...current, name, context: { ...current.context, cluster: name, user: name } }],
    'current-context': name,
  };
  return { config, text: stringify(config, { lineWidth: 0 }).trimEnd(), context: name };
}

const extension = 'strata';
const pathOf = (env: Env): string => env.KUBECONFIG?.split(delimiter).find(Boolean) ?? expandHome('~/.kube/config', env);
type Env = Readonly<Record<string, string | undefined>>;

/**
 * Puts it into the user's kubeconfig (the first file of $KUBECONFIG, else ~/.kube/config): what has its names is replaced, all else stays.
 * @param home of the control server, where it is on this host: kept with the context, so that it can go with the server
 */
export function mergeKubeconfig(given: OwnKubeconfig, env: Env, home?: string): { path: string; context: string } {
  const own = home === undefined ? given : { ...given, config: withHome(given.config, home) };
  const path = pathOf(env);
  const there = readThere(path);
  const replaced = <T extends { name: string }>(old: readonly T[] | null | undefined, fresh: readonly T[] | null | undefined): T[] => [
    ...(old ?? []).filter((o) => !(fresh ?? []).some((f) => f.name === o.name)),
    ...(fresh ?? []),
  ];
  const merged: Kubeconfig = {
    apiVersion: 'v1',
    kind: 'Config',
    ...there,
    clusters: replaced(there.clusters, own.config.clusters),
    users: replaced(there.users, own.config.users),
    contexts: replaced(there.contexts, own.config.contexts),
    'current-context': own.context,
  };
  write(path, merged);
  return { path, context: own.context };
}
const withHome = (config: Kubeconfig, home: string): Kubeconfig => ({
  ...config,
  contexts: (config.contexts ?? []).map((c) => ({ ...c, context: { ...c.context, extensions: [{ name: extension, extension: { home } }] } })),
});

/**
 * Takes what Strata merged out of the user's kubeconfig: of one cluster that is gone (only while it holds that cluster's own CA), or of a control server
 * that is removed. A current context that goes leaves none. @returns null when nothing of it was there
 */
export function forgetKubeconfig(env: Env, which: { own: OwnKubeconfig } | { home: string }): { path: string; contexts: string[] } | null {
  const path = pathOf(env);
  if (!existsSync(path)) return null;
  const there = readThere(path);
  const caOf = (config: Kubeconfig, name: string): unknown => (config.clusters?.find((c) => c.name === name) as { cluster?: Record<string, unknown> } | undefined)?.cluster?.['certificate-authority-data'];
  const isIt = (c: NonNullable<Kubeconfig['contexts']>[number]): boolean =>
    'home' in which
      ? (c.context.extensions ?? []).some((e) => e.name === extension && (e as { extension?: { home?: string } }).extension?.home === which.home)
      : c.name === which.own.context && caOf(there, c.context.cluster) === caOf(which.own.config, which.own.context);
  const [gone, left] = [(there.contexts ?? []).filter(isIt), (there.contexts ?? []).filter((c) => !isIt(c))];
  if (gone.length === 0) return null;
  const unused = (name: string, of: 'cluster' | 'user'): boolean => gone.some((c) => c.context[of] === name) && !left.some((c) => c.context[of] === name);
  const current = there['current-context'];
  write(path, {
    ...there,
    contexts: left,
    clusters: (there.clusters ?? []).filter((c) => !unused(c.name, 'cluster')),
    users: (there.users ?? []).filter((u) => !unused(u.name, 'user')),
    'current-context': gone.some((c) => c.name === current) ? '' : current,
  });
  return { path, contexts: gone.map((c) => c.name) };
} // prettier-ignore

/** Says what left the user's kubeconfig, if anything did. */
export function sayForgotten(terminal: Pick<Terminal, 'out'>, gone: ReturnType<typeof forgetKubeconfig>): void {
  if (gone) terminal.out(`${gone.path}: context ${gone.contexts.map((c) => `"${c}"`).join(', ')} is taken out`);
}

function write(path: string, config: Kubeconfig): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const part = `${path}.${randomBytes(4).toString('hex')}`;
  try {
    writeFileSync(part, stringify(config, { lineWidth: 0 }), { mode: 0o600, flag: 'wx' });
    renameSync(part, path);
  } finally {
    rmSync(part, { force: true });
  }
}
function readThere(path: string): Kubeconfig {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return {};
    throw error;
  }
  const parsed = Kubeconfig.safeParse(((): unknown => parse(text) ?? {})());
  if (!parsed.success) throw usage(`${path} is not a kubeconfig: ${z.prettifyError(parsed.error)}`, 'mend it, or name another file with KUBECONFIG');
  return parsed.data;
}
