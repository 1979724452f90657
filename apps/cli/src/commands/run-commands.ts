import type { ApiClient } from '@strata/api-client';
import type { RunDetails, RunSummary } from '@strata/model';
import { firstWaits, intentWords, runningText, span, waitText } from '@strata/run';
import type { Command } from 'commander';
import { usage } from '../cli-error';
import { ago, table } from '../output/table';
import { follow } from './apply';
import { type Cli, type ContextFlags, type FollowFlags, type OutputFlags, show, withCluster, withContext, withFollow, withOutput, withServer } from './cli';

type Flags = ContextFlags & { cluster?: string };

/** runs list|show|watch|cancel|resume|retry, and logs. */
export function addRunCommands(program: Command, cli: Cli): void {
  const runs = program.command('runs').description('what runs, what ran, and why something waits');
  withOutput(withCluster(withContext(runs.command('list').description('runs, newest first'))))
    .option('-n, --limit <number>', 'how many', Number, 20)
    .action((flags: Flags & OutputFlags & { limit: number }) =>
      withServer(cli, flags, async (client) => {
        const page = await client.runs({ cluster: flags.cluster, limit: Math.min(200, Math.max(1, flags.limit || 20)) });
        show(cli, flags, { value: page.runs, words: () => (page.runs.length === 0 ? 'no run yet' : runTable(page.runs, cli.now())) });
      }),
    );
  withOutput(
    withCluster(withContext(runs.command('show').argument('[run]', 'default: the newest').description('one run: how far it is, what waits and for what'))),
  ).action((run: string | undefined, flags: Flags & OutputFlags) =>
    withServer(cli, flags, async (client) => {
      const found = await client.run(await theRun(client, run, flags.cluster));
      const words = (): string => [runTable([found], cli.now()), found.because, ...nowLines(found, cli.now())].filter(Boolean).join('\n');
      show(cli, flags, { value: found, words });
    }),
  );
  withFollow(
    withCluster(
      withContext(
        runs.command('watch').argument('[run]', 'default: the one at work, else the newest').description('follow a run from its beginning to its end'),
      ),
    ),
  ).action((run: string | undefined, flags: Flags & FollowFlags) =>
    withServer(cli, flags, async (client) => {
      await follow(cli, client, { runId: await theRun(client, run, flags.cluster), flags });
    }),
  );
  withCluster(withContext(runs.command('cancel').argument('[run]').description('begin nothing more, and stop what is under way'))).action(
    (run: string | undefined, flags: Flags) =>
      withServer(cli, flags, async (client) => {
        const id = await theRun(client, run, flags.cluster);
        await client.cancelRun(id);
        cli.terminal.out(`run ${id} is being cancelled`);
      }),
  );
  withFollow(withCluster(withContext(runs.command('resume').argument('[run]').description('go on with a run that ended before all was done'))))
    .option('--detach', 'do not watch')
    .action((run: string | undefined, flags: Flags & FollowFlags & { detach?: boolean }) =>
      withServer(cli, flags, async (client) => {
        const id = await theRun(client, run, flags.cluster);
        await client.resumeRun(id);
        await goOn(cli, client, { id, flags, said: `run ${id} goes on` });
      }),
    );
  withFollow(
    withContext(
      runs.command('retry').argument('<run>').argument('<step>', 'its key, such as n2/containerd.install').description('one more go at a step that failed'),
    ),
  )
    .option('--detach', 'do not watch')
    .action((run: string, step: string, flags: ContextFlags & FollowFlags & { detach?: boolean }) =>
      withServer(cli, flags, async (client) => {
        const id = await theRun(client, run);
        await client.retryStep(id, step);
        await goOn(cli, client, { id, flags, said: `${step} is tried again` });
      }),
    );
  withOutput(withContext(program.command('logs').argument('<run>').argument('<step>').description('what a step wrote while it was at work')))
    .option('-f, --follow', 'go on until the run is over')
    .action((run: string, step: string, flags: ContextFlags & OutputFlags & { follow?: boolean }) =>
      withServer(cli, flags, (client) => logs(cli, client, { run, step, flags })),
    );
}

async function goOn(cli: Cli, client: ApiClient, what: { id: string; flags: FollowFlags & { detach?: boolean }; said: string }): Promise<void> {
  cli.terminal.err(what.said);
  if (what.flags.detach !== true) await follow(cli, client, { runId: what.id, flags: what.flags });
}

/** A run by its id or the beginning of it; else the one at work, else the newest. */
export async function theRun(client: ApiClient, id: string | undefined, cluster?: string): Promise<string> {
  if (id !== undefined && /^[0-9a-f-]{36}$/.test(id)) return id;
  const { runs } = await client.runs({ cluster, limit: 200 });
  const found = id === undefined ? [runs.find((r) => r.state !== 'ended') ?? runs[0]].filter((r) => r !== undefined) : runs.filter((r) => r.id.startsWith(id));
  if (found.length === 1) return found[0]!.id;
  throw usage(
    id === undefined ? 'there is no run yet' : `${found.length === 0 ? 'no run begins' : `${found.length} runs begin`} with "${id}"`,
    'see them with: strata runs list',
  );
}

async function logs(cli: Cli, client: ApiClient, at: { run: string; step: string; flags: OutputFlags & { follow?: boolean } }): Promise<void> {
  const run = await theRun(client, at.run);
  let after: string | undefined;
  for (let over = false; ;) {
    const { lines, next } = await client.stepLog(run, at.step, after);
    after = next ?? after;
    for (const line of lines)
      cli.terminal.out(
        at.flags.output === 'table'
          ? `${new Date(line.at).toISOString().slice(11, 23)} ${line.attempt > 1 ? `#${line.attempt} ` : ''}${line.text}`
          : JSON.stringify(line),
      );
    if (lines.length > 0) continue;
    if (at.flags.follow !== true || over) return;
    over = (await client.run(run)).state === 'ended';
    if (!over) await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
}

export function runTable(runs: readonly RunSummary[], now: number): string {
  return table(
    ['RUN', 'CLUSTER', 'WHAT', 'STATE', 'STEPS', 'CHANGED', 'FAILED', 'STARTED', 'TOOK'],
    runs.map((r) => [
      r.id,
      r.cluster,
      intentWords(r.intent),
      r.result ?? r.state,
      `${r.steps.done}/${r.steps.total}`,
      String(r.steps.changed),
      String(r.steps.failed),
      ago(r.startedAt, now),
      span((r.endedAt === null ? now : Date.parse(r.endedAt)) - Date.parse(r.startedAt)),
    ]),
  );
}
/** What is under way, and for each node the first step that waits and for what; `-o json` has every wait. */
export const nowLines = (run: RunDetails, now: number): string[] => [
  ...run.running.map((r) => `  ${runningText(r, now)}`),
  ...firstWaits(run.waits).map((wait) => `  ${waitText(wait, now)}`),
];
