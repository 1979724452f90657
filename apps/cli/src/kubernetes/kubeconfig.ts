import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, dirname } from 'node:path';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { usage } from '../cli-error';
import { expandHome } from '../context/paths';

const Named = z.looseObject({ name: z.string() });
const Kubeconfig = z.looseObject({
  clusters: z.array(Named).nullish(),
  users: z.array(Named).nullish(),
  contexts: z.array(Named.extend({ context: z.looseObject({ cluster: z.string(), user: z.string() }) })).nullish(),
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

/** Puts it into the user's kubeconfig (the first file of $KUBECONFIG, else ~/.kube/config): what has its names is replaced, all else stays. */
export function mergeKubeconfig(own: OwnKubeconfig, env: Readonly<Record<string, string | undefined>>): { path: string; context: string } {
  const path = env.KUBECONFIG?.split(delimiter).find(Boolean) ?? expandHome('~/.kube/config', env);
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
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const part = `${path}.${randomBytes(4).toString('hex')}`;
  try {
    writeFileSync(part, stringify(merged, { lineWidth: 0 }), { mode: 0o600, flag: 'wx' });
    renameSync(part, path);
  } finally {
    rmSync(part, { force: true });
  }
  return { path, context: own.context };
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
