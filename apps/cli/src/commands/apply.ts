import type { ApiClient } from '@strata/api-client';
import { ApiError } from '@strata/api-client';
import { type ApplyClusterBody, type BucketKey, type ClusterSpec, type ClusterView, type Phase, type RunIntent } from '@strata/model';
import type { ServerContext } from '../context/context';
import { followRun } from '../follow/follow-run';
import { type Waiting, whenFree } from '../follow/when-free';
import { withEnvironmentMirrors } from '../spec/environment-mirrors';
import { readSpecFile } from '../spec/read-spec';
import { SecretCollector } from '../ssh/collect-secrets';
import type { Cli, FollowFlags } from './cli';

export interface ApplyFlags extends FollowFlags {
  file: string;
  until?: Phase;
  detach?: boolean;
  wait?: boolean;
}

/** Reads the spec, sends it with what opens its machines, and gives the cluster as the server now knows it. Nothing happens on a machine yet. */
export async function sendSpec(cli: Cli, file: string, server: { client: ApiClient; context: ServerContext }): Promise<ClusterView> {
  return server.client.applyCluster(await readSpec(cli, file, server));
}

/** The spec of a file, with what opens its machines: asked for only where a machine has no agent yet. */
export async function readSpec(cli: Cli, file: string, server: { client: ApiClient; context: ServerContext }): Promise<ApplyClusterBody> {
  const { spec: ofFile, written } = readSpecFile(file);
  const { spec, note } = withEnvironmentMirrors(ofFile, cli.env);
  if (note !== null) cli.terminal.err(note);
  const enrolled = await enrolledNodes(server.client, spec.metadata.name);
  const collector = new SecretCollector({ env: cli.env, terminal: cli.terminal, serverIsLocal: isLocal(server.context.url) });
  const nodes = [];
  const secrets: Record<string, NonNullable<Awaited<ReturnType<SecretCollector['of']>>>['secrets']> = {};
  for (const node of spec.spec.nodes) {
    const fields = written.get(node.name) ?? new Set<string>();
    if (enrolled.has(node.name)) nodes.push(collector.complete(node, fields).node);
    else {
      const collected = await collector.of(node, fields);
      nodes.push(collected?.node ?? node);
      if (collected) secrets[node.name] = collected.secrets;
    }
  }
  const bucketKey = await keyOfBucket(collector, spec, enrolled.size > 0);
  const metadataPassword = await passwordOfMetadata(collector, spec, enrolled.size > 0);
  return {
    spec: { ...spec, spec: { ...spec.spec, nodes } },
    secrets,
    ...(bucketKey ? { bucketKey } : {}),
    ...(metadataPassword === null ? {} : { metadataPassword }),
  };
}

/** The key of a bucket with somebody else. A cluster that is there has it already: then it is sent anew where it can be had without asking. */
async function keyOfBucket(collector: SecretCollector, { spec }: ClusterSpec, there: boolean): Promise<BucketKey | null> {
  const { kind, accessKeyFrom = '', secretKeyFrom = '' } = spec.storage.objects ?? {};
  if (spec.storage.kind !== 'juicefs' || kind !== 's3') return null;
  if (there && ![accessKeyFrom, secretKeyFrom].every((from) => collector.canGive(from))) return null;
  return { access: await collector.named(accessKeyFrom, 'access key of the bucket'), secret: await collector.named(secretKeyFrom, 'secret key of the bucket') };
} // prettier-ignore

/** The password of metadata with somebody else, likewise. Another one than before is taken: their owner may change it. */
async function passwordOfMetadata(collector: SecretCollector, { spec }: ClusterSpec, there: boolean): Promise<string | null> {
  const { kind, passwordFrom = '' } = spec.storage.metadata ?? {};
  if (spec.storage.kind !== 'juicefs' || kind !== 'external' || (there && !collector.canGive(passwordFrom))) return null;
  return collector.named(passwordFrom, 'password of the metadata');
}

/** Nodes that have an agent: nothing is asked for them any more. */
async function enrolledNodes(client: ApiClient, cluster: string): Promise<Set<string>> {
  try {
    return new Set((await client.nodes(cluster)).filter((n) => n.state === 'enrolled').map((n) => n.name));
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return new Set();
    throw error;
  }
}
export const isLocal = (url: string): boolean => ['127.0.0.1', 'localhost', '[::1]'].includes(new URL(url).hostname);

/** Starts a run and shows it to its end, or with `detach` only says which it is. `waitMs`: so long a busy cluster is waited for. Sets the exit code, and gives it; null: not watched. */
export async function startAndFollow(
  cli: Cli,
  client: ApiClient,
  what: { cluster: string; intent: RunIntent; flags: FollowFlags & { detach?: boolean; wait?: boolean }; waitMs?: number },
): Promise<number | null> {
  const waitMs = what.waitMs ?? (what.flags.wait === true ? (what.flags.timeout ?? Infinity) : 0);
  const { runId } = await whenFree(() => client.startRun(what.cluster, what.intent), waiting(cli), waitMs);
  return followOrTell(cli, client, { runId, flags: what.flags });
}
const waiting = (cli: Cli): Waiting => ({
  now: () => performance.now(),
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  say: (text) => cli.terminal.err(text),
});
export async function followOrTell(cli: Cli, client: ApiClient, what: { runId: string; flags: FollowFlags & { detach?: boolean } }): Promise<number | null> {
  const { runId } = what;
  if (what.flags.detach !== true) return follow(cli, client, what);
  cli.terminal.out(runId);
  cli.terminal.err(`run ${runId} is at work; watch it: strata runs watch ${runId}`);
  return null;
}
export async function follow(cli: Cli, client: ApiClient, what: { runId: string; flags: FollowFlags }): Promise<number> {
  const options = { json: what.flags.logFormat === 'json', timeoutMs: what.flags.timeout };
  const { exitCode } = await followRun(client, what.runId, { terminal: cli.terminal, options });
  cli.exit(exitCode);
  return exitCode;
}
export const intentOf = (kind: RunIntent['kind'], rest: Partial<RunIntent> = {}): RunIntent => ({ kind, nodes: [], dryRun: false, force: false, ...rest });
