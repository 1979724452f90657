import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { ApiClient, connectTo, ConnectionError, UnexpectedAnswer } from '@strata/api-client';
import { type Check, controlHost, Diagnosis, diagnosisText, exitCodes, isHealthy, rootCauseFirst } from '@strata/model';
import { CliError, describe } from '../cli-error';
import { isLocal } from '../commands/apply';
import { type Cli, type ContextFlags, type OutputFlags, show, theCluster } from '../commands/cli';
import { nodeOf } from '../commands/node-commands';
import { resolveContext, type ServerContext } from '../context/context';
import { homeOf } from '../host/server-home';
import { SecretCollector } from '../ssh/collect-secrets';
import type { SshFlags } from '../ssh/ssh-options';
import { look } from './programs';

export interface DoctorFlags extends ContextFlags, OutputFlags, SshFlags {
  cluster?: string;
  home?: string;
  all?: boolean;
  ssh?: string;
}
const requestMs = 90_000;

/** What is wrong, the root cause first; exit code 0 only when all is well. Works with the server up or down. */
export async function doctor(cli: Cli, name: string | undefined, flags: DoctorFlags): Promise<void> {
  const context = contextOf(cli, flags);
  const home = resolve(flags.home ?? (context instanceof CliError ? undefined : context.home) ?? homeOf(undefined, cli.env));
  const here = context instanceof CliError ? existsSync(home) : isLocal(context.url) && existsSync(home);
  const bySsh = flags.ssh === undefined ? [] : await lookBySsh(cli, name, { ...flags, hostKey: flags.hostKey ?? (await keyInSpec(context, name, flags)) });
  const [own, nodes] = await Promise.all([
    here ? look(['control', '--home', home]).then(checksOf) : Promise.resolve([]),
    nodesOf(context, name, { flags, here }),
  ]);
  const covered = new Set(bySsh.map((c) => c.where));
  const seen = nodes.filter((c) => !(covered.has(c.where) && (bySsh.some((s) => s.code === c.code) || c.code === 'node.look')));
  const checks = rootCauseFirst([...own, ...bySsh, ...seen]);
  show(cli, flags, { value: { healthy: isHealthy(checks), checks }, words: () => diagnosisText(checks, { all: flags.all }) });
  cli.exit(isHealthy(checks) ? exitCodes.done : exitCodes.failed);
}
const checksOf = (answer: unknown): Check[] => Diagnosis.parse(answer).checks;

/** Which server is meant, or why none is. */
function contextOf(cli: Cli, flags: DoctorFlags): ServerContext | CliError {
  try {
    return resolveContext(flags, cli.env);
  } catch (error) {
    if (error instanceof CliError) return error;
    throw error;
  }
}

/** What the server says of its nodes, and of itself where we cannot see its host. A server that does not answer is a finding, not an end. */
async function nodesOf(context: ServerContext | CliError, name: string | undefined, at: { flags: DoctorFlags; here: boolean }): Promise<Check[]> {
  const { flags } = at;
  if (context instanceof CliError) return [silent(context)];
  const client = new ApiClient(await connectTo(context), { token: context.token, timeoutMs: requestMs, patienceMs: 500 });
  try {
    const own = at.here ? [] : (await client.examineControlHost()).checks;
    const some = name !== undefined || flags.cluster !== undefined;
    const clusters = some ? [await theCluster(client, flags.cluster)] : (await client.clusters()).map((c) => c.id);
    const all = await Promise.all(clusters.map((cluster) => client.examineNodes(cluster, name)));
    return [...own, ...all.flatMap((d) => d.checks)];
  } catch (error) {
    if (error instanceof ConnectionError || error instanceof UnexpectedAnswer) return [silent(error)];
    throw error;
  } finally {
    client.close();
  }
}
const silent = (error: unknown): Check => ({
  ...{ code: 'control.server', where: controlHost, title: 'the server answers', verdict: 'broken', evidence: [] },
  cause: `the nodes could not be asked: ${describe(error).message}`,
  remedy: describe(error).remedy ?? 'strata up, on the control host',
});

/** The host key that the cluster's spec names for this node: whoever trusted it once need not say it again. Undefined where the server does not answer or knows none. */
async function keyInSpec(context: ServerContext | CliError, name: string | undefined, flags: DoctorFlags): Promise<string | undefined> {
  if (context instanceof CliError || name === undefined || flags.acceptNewHostKey === true) return undefined;
  let client: ApiClient | undefined;
  try {
    client = new ApiClient(await connectTo(context), { token: context.token, timeoutMs: 5_000, patienceMs: 500 });
    const { spec } = await client.cluster(await theCluster(client, flags.cluster));
    return spec.spec.nodes.find((n) => n.name === name)?.ssh?.hostKey;
  } catch {
    return undefined; // the look itself, or the server's own finding, says what is wrong
  } finally {
    client?.close();
  }
}

/** One machine from inside, without its agent: this host logs in there and only reads. */
async function lookBySsh(cli: Cli, name: string | undefined, flags: DoctorFlags): Promise<Check[]> {
  const { node, written } = nodeOf(name ?? 'machine', { ...flags, role: 'worker', label: [] });
  const collected = await new SecretCollector({ env: cli.env, terminal: cli.terminal, serverIsLocal: true }).of(node, written);
  const asked = { node: collected?.node ?? node, secrets: collected?.secrets ?? { knownHosts: [] } };
  try {
    return checksOf(await look(['ssh'], JSON.stringify(asked)));
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    const { message, remedy } = describe(error);
    return [{ code: 'node.reach', where: node.name, title: 'the machine lets us in', verdict: 'broken', cause: message, remedy: remedy ?? '', evidence: [] }];
  }
}
