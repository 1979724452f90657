import type { ApiClient } from '@strata/api-client';
import { type AddNodeBody, type ClusterView, isSamePlace, NodeSpec, type NodeView } from '@strata/model';
import { type Command, Option } from 'commander';
import { z } from 'zod';
import { usage } from '../cli-error';
import type { ServerContext } from '../context/context';
import { ago, table } from '../output/table';
import { SecretCollector } from '../ssh/collect-secrets';
import { type SshFlags, withLogin } from '../ssh/ssh-options';
import { follow, isLocal } from './apply';
import {
  type Cli,
  type ContextFlags,
  type FollowFlags,
  mustConfirm,
  type OutputFlags,
  show,
  theCluster,
  withCluster,
  withContext,
  withFollow,
  withOutput,
  withServer,
  withYes,
} from './cli';

type Flags = ContextFlags & { cluster?: string };
/** What makes a node. */
export interface NodeFlags extends SshFlags {
  ssh?: string;
  join?: boolean;
  role: string;
  label: string[];
}
export interface AddFlags extends NodeFlags, Flags, FollowFlags {
  name?: string;
  detach?: boolean;
}
const gather = (value: string, all: string[]): string[] => [...all, value];

/** node add|list|show|remove|join-command */
export function addNodeCommands(program: Command, cli: Cli): void {
  const node = program.command('node').description('the machines of a cluster');
  const added = withFollow(
    withCluster(withContext(node.command('add').description('one more machine, by SSH or with a join command; the others are left alone'))),
  )
    .option('--ssh <user@host[:port]>', 'reach it by SSH')
    .option('--join', 'it comes by itself: print the line to run there')
    .option('--name <name>', 'name of the node; default: the next free nN')
    .addOption(new Option('--role <role>', 'what it is for').choices(['worker', 'control-plane']).default('worker'))
    .option('--label <key=value>', 'a label; may be given several times', gather, []);
  withLogin(added, { trust: 'trust a host key that nobody knows yet (audited)', one: true, byServer: true })
    .option('--detach', 'do not watch')
    .action((flags: AddFlags) => withServer(cli, flags, (client, context) => add(cli, flags, { client, context })));
  withOutput(withCluster(withContext(node.command('list').description('every node: state, session, address')))).action((flags: Flags & OutputFlags) =>
    withServer(cli, flags, async (client) => {
      const nodes = await client.nodes(await theCluster(client, flags.cluster));
      show(cli, flags, { value: nodes, words: () => nodeTable(nodes, cli.now()) });
    }),
  );
  withOutput(withCluster(withContext(node.command('show').argument('<name>').description('all that is known of one node')))).action(
    (name: string, flags: Flags & OutputFlags) =>
      withServer(cli, flags, async (client) => {
        const found = await client.node(await theCluster(client, flags.cluster), name);
        show(cli, flags, { value: found, words: () => Object.entries(found).map(([k, v]) => `${k.padEnd(14)}${v === null ? '-' : typeof v === 'object' ? `${v.path}: ${v.words}` : String(v)}`).join('\n') }); // prettier-ignore
      }),
  );
  withYes(
    withFollow(
      withCluster(withContext(node.command('remove').argument('<name>').description('take a node out of the cluster and give the machine back as it was'))),
    ),
  )
    .option('--force', 'also if it cannot be reached: nothing is undone there then')
    .option('--detach', 'do not watch')
    .action((name: string, flags: Flags & FollowFlags & { yes?: boolean; force?: boolean; detach?: boolean }) =>
      withServer(cli, flags, async (client) => {
        const cluster = await theCluster(client, flags.cluster);
        await mustConfirm(cli, flags, `Take ${name} out of cluster ${cluster}, and undo what was done to it?`);
        const { runId } = await client.removeNode(cluster, name, flags.force === true);
        if (flags.detach === true) cli.terminal.out(runId);
        else await follow(cli, client, { runId, flags });
      }),
    );
  withOutput(
    withCluster(
      withContext(node.command('join-command').argument('<name>').description('a line to run as root on a machine that comes by itself; 15 minutes, one use')),
    ),
  ).action((name: string, flags: Flags & OutputFlags) =>
    withServer(cli, flags, async (client) => printJoin(cli, client, { cluster: await theCluster(client, flags.cluster), name, flags })),
  );
}

async function printJoin(cli: Cli, client: ApiClient, at: { cluster: string; name: string; flags: Partial<OutputFlags> }): Promise<void> {
  const join = await client.joinCommand(at.cluster, at.name);
  show(cli, { output: at.flags.output ?? 'table' }, { value: join, words: () => join.command });
  cli.terminal.err(`# run it as root on the machine that becomes ${join.node}; good once, until ${join.expiresAt}`);
}

async function add(cli: Cli, flags: AddFlags, server: { client: ApiClient; context: ServerContext }): Promise<void> {
  const { client } = server;
  if ((flags.ssh === undefined) === (flags.join !== true))
    throw usage('say how it comes: either --ssh USER@HOST or --join', 'strata node add --ssh root@10.0.0.14');
  const cluster = await client.cluster(await theCluster(client, flags.cluster));
  const tried = flags.name === undefined && flags.ssh !== undefined ? await triedBefore(client, cluster, nodeOf('machine', flags).node) : undefined;
  if (tried !== undefined) cli.terminal.err(`${flags.ssh} is ${tried} in the spec, which is not installed yet: it is tried again by that name`);
  const name = flags.name ?? tried ?? nextName(cluster.spec.spec.nodes.map((n) => n.name));
  const { node, written } = nodeOf(name, flags);
  const world = { env: cli.env, terminal: cli.terminal, serverIsLocal: isLocal(server.context.url) };
  const collected = await new SecretCollector(world).of(node, written);
  const body: AddNodeBody = { node: collected?.node ?? node, ...(collected ? { secrets: collected.secrets } : {}) };
  const since = cli.now();
  const added = await client.addNode(cluster.id, body);
  cli.terminal.err(`${name} is a node of cluster ${cluster.name}`);
  if (flags.join === true) await printJoin(cli, client, { cluster: cluster.id, name, flags: {} });
  if (flags.detach === true || flags.join === true) {
    if (added.runId !== null) cli.terminal.err(`run ${added.runId} installs it; watch it: strata runs watch ${added.runId}`);
    return;
  }
  if (added.runId === null) cli.terminal.err(`it waits for run ${added.waitsFor ?? '?'}, and begins by itself after that`);
  await follow(cli, client, { runId: added.runId ?? (await runFor(client, { cluster: cluster.id, name, since, flags })), flags });
}

/** The name under which this machine is in the spec already, from an `add` that was refused: only one that has no agent. */
export async function triedBefore(client: ApiClient, cluster: ClusterView, asked: NodeSpec): Promise<string | undefined> {
  const same = cluster.spec.spec.nodes.find((n) => n.ssh !== undefined && isSamePlace(n, asked));
  return same && (await client.node(cluster.id, same.name)).state === 'planned' ? same.name : undefined;
}

/** The run that begins by itself for a node that had to wait. */
async function runFor(client: ApiClient, at: { cluster: string; name: string; since: number; flags: FollowFlags }): Promise<string> {
  const until = at.flags.timeout === undefined ? Infinity : at.since + at.flags.timeout;
  for (;;) {
    const { runs } = await client.runs({ cluster: at.cluster, limit: 20 });
    const found = runs.find((r) => r.intent.nodes.includes(at.name) && (r.intent.kind === 'add-node' || r.intent.kind === 'finish'));
    if (found) return found.id;
    if (Date.now() > until) throw usage(`${at.name} still waits for its turn`, 'it begins by itself; see: strata runs list');
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
}

const hostText = /^(?:([^@\s]+)@)?([^@:\s]+)(?::(\d+))?$/;
/** The node that the flags describe. @throws CliError naming each flag that is wrong */
export function nodeOf(name: string, flags: NodeFlags): { node: NodeSpec; written: Set<string> } {
  const written = new Set<string>();
  const [, user, host, port] = hostText.exec(flags.ssh ?? '') ?? [];
  if (flags.ssh !== undefined && host === undefined) throw usage(`--ssh ${flags.ssh} is not USER@HOST or USER@HOST:PORT`);
  const [, jumpUser, jump, jumpPort] = hostText.exec(flags.bastion ?? '') ?? [];
  if (flags.bastion !== undefined && jump === undefined) throw usage(`--bastion ${flags.bastion} is not USER@HOST or USER@HOST:PORT`);
  if (user) written.add('user');
  if (port) written.add('port');
  const ssh = {
    ...(user ? { user } : {}),
    ...(port ? { port: Number(port) } : {}),
    ...(flags.hostKey ? { hostKey: flags.hostKey } : {}),
    ...(flags.acceptNewHostKey ? { acceptNewHostKey: true } : {}),
    ...(flags.keyFile ? { keyFile: flags.keyFile } : {}),
    ...(flags.agent ? { agent: true } : {}),
    ...(flags.passwordFrom ? { passwordFrom: flags.passwordFrom } : {}),
    ...(flags.passphraseFrom ? { passphraseFrom: flags.passphraseFrom } : {}),
    ...(flags.sudoPasswordFrom ? { sudoPasswordFrom: flags.sudoPasswordFrom } : {}),
    ...(jump ? { bastion: { host: jump, ...(jumpUser ? { user: jumpUser } : {}), ...(jumpPort ? { port: Number(jumpPort) } : {}) } } : {}),
  };
  const isAddress = z.ipv4().safeParse(host).success;
  const labels = Object.fromEntries(flags.label.map((l) => (l.includes('=') ? [l.slice(0, l.indexOf('=')), l.slice(l.indexOf('=') + 1)] : [l, ''])));
  const reached = host === undefined ? { join: 'token' } : isAddress ? { address: host, ssh } : { ssh: { host, ...ssh } };
  const parsed = NodeSpec.safeParse({ name, role: flags.role, labels, ...reached });
  if (!parsed.success) throw usage(`this makes no node: ${z.prettifyError(parsed.error)}`);
  return { node: parsed.data, written };
}
function nextName(taken: readonly string[]): string {
  for (let i = 1; ; i += 1) if (!taken.includes(`n${i}`)) return `n${i}`;
}

export function nodeTable(nodes: readonly NodeView[], now: number): string {
  const session = (n: NodeView): string => (n.online ? 'online' : n.state === 'enrolled' ? `silent, last seen ${ago(n.lastSeenAt, now)}` : '-');
  return table(
    ['NODE', 'ROLE', 'ADDRESS', 'STATE', 'SESSION', 'AGENT', 'SKEW', 'SYSTEM'],
    nodes.map((n) => [
      n.name,
      n.role,
      n.address ?? '-',
      n.state,
      session(n),
      n.agentVersion ?? '-',
      n.skewMs === null ? '-' : `${Math.round(n.skewMs)} ms`,
      n.os ?? '-',
    ]),
  );
}
