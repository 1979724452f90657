import { type ApiClient, ApiError } from '@strata/api-client';
import { type ApplyClusterBody, exitCodes, phases, type RunStarted } from '@strata/model';
import { type Command, Option } from 'commander';
import { exitCodeOf, followRun } from '../follow/follow-run';
import { looksOf, planText, wouldChange } from '../output/plan-text';
import { goodSpec, lookAtSpecFile } from '../spec/read-spec';
import { type ApplyFlags, intentOf, readSpec, sendSpec, startAndFollow } from './apply';
import { type Cli, type ContextFlags, type FollowFlags, type OutputFlags, show, withContext, withFollow, withOutput, withServer, withYes } from './cli';
import { CliError } from '../cli-error';
import { addInitCommands } from './init-command';
import { addPrecheckCommand } from './precheck';

const withFile = (command: Command): Command => command.requiredOption('-f, --file <path>', 'the cluster spec; - is standard input');

/** init, validate, plan, apply, and apply up to each phase. */
export function addSpecCommands(program: Command, cli: Cli): void {
  addInitCommands(program, cli);
  withOutput(withFile(program.command('validate').description('check a spec: everything that is wrong, with file, line and column'))).action(
    (flags: { file: string } & OutputFlags) => {
      const read = lookAtSpecFile(flags.file);
      if (!read.spec && flags.output !== 'table') {
        cli.exit(exitCodes.usage);
        return show(cli, flags, { value: { file: flags.file, issues: read.issues }, words: () => '' });
      }
      const { spec } = read.spec ? read : goodSpec(flags.file, read);
      const { nodes } = spec.spec;
      show(cli, flags, {
        value: spec,
        words: () =>
          `${flags.file} is good: cluster "${spec.metadata.name}", ${nodes.length} node${nodes.length === 1 ? '' : 's'}, ${spec.spec.distribution.kind}`,
      });
    },
  );

  withOutput(
    withFollow(withContext(withFile(program.command('plan').description('look at every machine and say what would be done on which; changes nothing')))),
  )
    .option('--detailed-exitcode', 'exit 2 when something would be done, 0 when nothing')
    .action((flags: { file: string; detailedExitcode?: boolean } & ContextFlags & OutputFlags & FollowFlags) => plan(cli, flags));

  applyOptions(program.command('apply').description('make it so, and show it live; Ctrl-C leaves, the run goes on'))
    .addOption(new Option('--until <phase>', 'stop after this phase').choices(phases))
    .action((flags: ApplyFlags & ContextFlags) => apply(cli, flags));
  const ends: Record<Exclude<(typeof phases)[number], 'precheck'>, string> = {
    download: 'every artifact is in the store of the control server',
    prepare: 'packages, settings, runtime and images are there',
    install: 'the cluster runs',
    activate: 'network, add-ons and bundles run, as after apply',
  };
  addPrecheckCommand(program, cli);
  for (const phase of phases.filter((p) => p !== 'precheck'))
    applyOptions(program.command(phase).description(`apply up to ${phase}: ${ends[phase]}`)).action((flags: ApplyFlags & ContextFlags) =>
      apply(cli, { ...flags, until: phase }),
    );
}
const applyOptions = (command: Command): Command =>
  withYes(withFollow(withContext(withFile(command))))
    .option('--detach', 'start it and say which run it is, without watching')
    .option('--wait', 'begin when the run that is at work on the cluster is over, instead of ending with 5');

function apply(cli: Cli, flags: ApplyFlags & ContextFlags): Promise<void> {
  return withServer(cli, flags, async (client, context) => {
    const cluster = await sendSpec(cli, flags.file, { client, context });
    const code = await startAndFollow(cli, client, {
      ...{ cluster: cluster.id, flags },
      intent: intentOf('install', flags.until === undefined ? {} : { until: flags.until }),
    });
    if (code === exitCodes.done && cluster.state !== 'ready' && (flags.until ?? 'activate') === 'activate') await nameTheFirst(cli, client);
  });
}

/** A cluster that is new has nobody yet but whoever has the server's own token. */
async function nameTheFirst(cli: Cli, client: ApiClient): Promise<void> {
  const accounts = await client.accounts().catch(() => null); // only an administrator may know
  if (accounts?.length === 0) cli.terminal.err('nobody but you may use it yet; a one-time link for the first user: strata user invite NAME --role admin');
}

/** A look at a cluster that is there keeps nothing of the spec; a new one is only given its name. */
async function startDryRun(client: ApiClient, draft: ApplyClusterBody): Promise<RunStarted> {
  const intent = intentOf('install', { dryRun: true });
  try {
    return await client.startRun(draft.spec.metadata.name, intent, draft);
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 404)) throw error;
    return client.startRun((await client.applyCluster(draft)).id, intent);
  }
}

function plan(cli: Cli, flags: { file: string; detailedExitcode?: boolean } & ContextFlags & OutputFlags & FollowFlags): Promise<void> {
  return withServer(cli, flags, async (client, context) => {
    const { runId } = await startDryRun(client, await readSpec(cli, flags.file, { client, context }));
    const quiet = flags.output !== 'table' || flags.logFormat !== 'json';
    const { view } = await followRun(client, runId, { terminal: cli.terminal, options: { json: flags.logFormat === 'json', timeoutMs: flags.timeout, quiet } });
    const code = exitCodeOf(view.result);
    if (view.plan === null && flags.output === 'table') {
      throw new CliError(`no plan could be made: ${view.because}`, {
        exitCode: code === exitCodes.done ? exitCodes.failed : code,
        findings: view.findings.filter((f) => f.severity !== 'info'),
      });
    }
    const looks = looksOf(view);
    if (flags.logFormat !== 'json')
      show(cli, flags, {
        value: { result: view.result, because: view.because, findings: view.findings, plan: view.plan, looks: Object.fromEntries(looks) },
        words: () => planText(view),
      });
    cli.exit(code === exitCodes.done && flags.detailedExitcode === true && wouldChange(view, looks) ? 2 : code);
  });
}
