import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { ApiClient } from '@strata/api-client';
import { type ApplyClusterBody, ClusterSpec, exitCodes, type RunStarted, type SshSecrets } from '@strata/model';
import { pairsText, precheckPage, type RunView } from '@strata/run';
import { type Command, Option } from 'commander';
import { CliError, usage } from '../cli-error';
import type { ServerContext } from '../context/context';
import { exitCodeOf, followRun } from '../follow/follow-run';
import { SecretCollector } from '../ssh/collect-secrets';
import { type SshFlags, withLogin } from '../ssh/ssh-options';
import { intentOf, isLocal, sendSpec } from './apply';
import { type Cli, type ContextFlags, type FollowFlags, type OutputFlags, show, withContext, withFollow, withOutput, withServer } from './cli';
import { nodeOf } from './node-commands';

interface Flags extends ContextFlags, FollowFlags, OutputFlags, SshFlags {
  file?: string;
  ssh?: string[];
  page: string;
  distribution: string;
  detach?: boolean;
}

/** precheck: all findings of all machines, and who reaches whom, as text and as a page; with a spec, or only with machines. */
export function addPrecheckCommand(program: Command, cli: Cli): void {
  const command = withOutput(
    withFollow(
      withContext(program.command('precheck').description('all findings of all machines, and who reaches whom; nothing is changed, no agent is needed')),
    ),
  )
    .option('-f, --file <path>', 'the cluster spec; - is standard input')
    .option('--ssh <user@host...>', 'these machines (USER@HOST or USER@HOST:PORT), without a spec; the first is taken for the control plane')
    .option('--page <path>', 'where the page goes', 'strata-precheck.html')
    .addOption(new Option('--distribution <kind>', 'with --ssh: which one is to come').choices(['k3s', 'kubernetes']).default('kubernetes'));
  withLogin(command, { when: 'with --ssh', trust: 'trust host keys that nobody knows yet (audited)', byServer: true })
    .option('-y, --yes', 'do not ask')
    .option('--detach', 'start it and say which run it is, without watching')
    .action((flags: Flags) => {
      if ((flags.file === undefined) === (flags.ssh === undefined))
        throw usage('say which machines: either -f FILE or --ssh USER@HOST …', 'strata precheck --ssh root@10.0.0.11 root@10.0.0.12');
      return withServer(cli, flags, (client, context) => precheck(cli, flags, { client, context }));
    });
}

type Server = { client: ApiClient; context: ServerContext };
async function precheck(cli: Cli, flags: Flags, server: Server): Promise<void> {
  const { client } = server;
  const { started, title } = flags.ssh === undefined ? await ofSpec(cli, flags.file!, server) : await ofMachines(cli, flags, server);
  if (flags.detach === true) {
    cli.terminal.out(started.runId);
    cli.terminal.err(`run ${started.runId} is at work; watch it: strata runs watch ${started.runId}`);
    return;
  }
  const absent = new Map<string, string>();
  const events = flags.logFormat === 'json';
  const { view } = await followRun(client, started.runId, {
    terminal: cli.terminal,
    options: {
      json: events,
      timeoutMs: flags.timeout,
      quiet: !events && flags.output !== 'table',
      onEvent: (e) => {
        if (e.kind === 'NodeChecked' && !e.body.reachable && e.node !== null) absent.set(e.node, e.body.message);
      },
    },
  });
  const gone = [...absent].map(([node, why]) => ({ node, why }));
  const page = writePage(flags.page, precheckPage({ title, at: new Date(cli.now()).toUTCString(), findings: view.findings, matrix: view.pairs, absent: gone }));
  const answer = { result: view.result, because: view.because, findings: view.findings, absent: gone, matrix: view.pairs, page };
  if (!events) show(cli, flags, { value: answer, words: () => wordsOf(view, page) });
  const code = exitCodeOf(view.result);
  cli.exit(code === exitCodes.done && gone.length > 0 ? exitCodes.degraded : code);
}
const wordsOf = (view: RunView, page: string): string =>
  ['', ...(view.pairs ? [...pairsText(view.pairs), ''] : []), `The page with all of it: ${page}`].join('\n');

function writePage(path: string, html: string): string {
  try {
    writeFileSync(path, html);
    return resolve(path);
  } catch (cause) {
    throw new CliError(`the page could not be written to ${path}: ${(cause as Error).message}`, { exitCode: exitCodes.failed, remedy: 'name another place with --page', cause });
  }
} // prettier-ignore

interface Begun {
  started: RunStarted;
  title: string;
}
async function ofSpec(cli: Cli, file: string, server: Server): Promise<Begun> {
  const cluster = await sendSpec(cli, file, server);
  return { started: await server.client.startRun(cluster.id, intentOf('install', { until: 'precheck' })), title: `Cluster ${cluster.name}` };
}

/** A cluster that is only looked at: the server forgets it when the look is over. */
async function ofMachines(cli: Cli, flags: Flags, { client, context }: Server): Promise<Begun> {
  const hosts = flags.ssh ?? [];
  const collector = new SecretCollector({ env: cli.env, terminal: cli.terminal, serverIsLocal: isLocal(context.url) });
  const nodes = [];
  const secrets: Record<string, SshSecrets> = {};
  for (const [i, ssh] of hosts.entries()) {
    const { node, written } = nodeOf(`n${i + 1}`, { ...flags, ssh, role: i === 0 ? 'control-plane' : 'worker', label: [] });
    const collected = await collector.of(node, written);
    nodes.push(collected?.node ?? node);
    if (collected) secrets[node.name] = collected.secrets;
  }
  const name = `precheck-${randomBytes(4).toString('hex')}`;
  const parsed = ClusterSpec.safeParse({ apiVersion: 'strata/v1', kind: 'Cluster', metadata: { name }, spec: { distribution: { kind: flags.distribution }, nodes } });
  if (!parsed.success) throw usage(parsed.error.issues.map((issue) => issue.message).join('; '), 'name each machine once');
  const draft: ApplyClusterBody = { spec: parsed.data, secrets };
  const cluster = await client.applyCluster(draft);
  const started = await client.startRun(cluster.id, intentOf('install', { until: 'precheck', dryRun: true }));
  return { started, title: `${hosts.length} machine${hosts.length === 1 ? '' : 's'}: ${hosts.map((host, i) => `n${i + 1} is ${host}`).join(', ')}` };
} // prettier-ignore
