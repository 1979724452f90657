import { connectTo, ApiClient } from '@strata/api-client';
import { milliseconds } from '@strata/model';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { usage } from '../cli-error';
import { resolveContext, type ServerContext } from '../context/context';
import { type Format, shown } from '../output/table';
import type { Terminal } from '../terminal';

/** What a command may use of the outside. `exit` sets the exit code. */
export interface Cli {
  env: Readonly<Record<string, string | undefined>>;
  terminal: Terminal;
  now(): number;
  exit(code: number): void;
}

export interface ContextFlags {
  context?: string;
}
export interface OutputFlags {
  output: Format;
}
export interface FollowFlags {
  timeout?: number; // ms
  logFormat: 'text' | 'json';
}

export const withContext = (command: Command): Command => command.option('--context <name>', 'the control server, by its name in ~/.config/strata/config.yaml');
export const withOutput = (command: Command): Command =>
  command.addOption(new Option('-o, --output <form>', 'form of the answer').choices(['table', 'json', 'yaml']).default('table'));
export const withFollow = (command: Command): Command =>
  command
    .addOption(
      new Option('--timeout <duration>', 'leave with exit code 124 when it is not over by then; the run goes on (30s, 20m, 2h)').argParser(parseDuration),
    )
    .addOption(new Option('--log-format <form>', 'json: one event of the run a line').choices(['text', 'json']).default('text'));
export const withCluster = (command: Command): Command => command.option('--cluster <name>', 'which cluster; may be left out while there is one');
export const withYes = (command: Command): Command => command.option('-y, --yes', 'do not ask');

export function parseDuration(text: string): number {
  try {
    return milliseconds(/^\d+$/.test(text) ? `${text}s` : text);
  } catch {
    throw new InvalidArgumentError('Write a number with ms, s, m, h or d: 30s, 20m, 2h.');
  }
}

/** Runs `work` with a client of the server that is meant, and closes it. */
export async function withServer<T>(cli: Cli, flags: ContextFlags, work: (client: ApiClient, context: ServerContext) => Promise<T>): Promise<T> {
  const context = resolveContext(flags, cli.env);
  const client = new ApiClient(await connectTo(context), { token: context.token });
  try {
    return await work(client, context);
  } finally {
    client.close();
  }
}

/** The cluster that is meant: the one that is named, else the only one. One that was only planned is meant where there is no other. @throws CliError naming those that there are */
export async function theCluster(client: ApiClient, name: string | undefined): Promise<string> {
  if (name !== undefined) return name;
  const known = await client.clusters();
  const applied = known.filter((c) => !c.onlyPlanned);
  const all = applied.length > 0 ? applied : known;
  const only = all[0];
  if (all.length === 1 && only) return only.name;
  if (!only) throw usage('there is no cluster yet', 'write a spec (strata init > cluster.yaml) and apply it (strata apply -f cluster.yaml)');
  throw usage(`there are several clusters: ${all.map((c) => c.name).join(', ')}`, 'say which with --cluster NAME');
}

export function show(cli: Cli, flags: OutputFlags, answer: { value: unknown; words: () => string }): void {
  cli.terminal.out(shown(flags.output, answer.value, answer.words));
}

/** Goes on only if a person says yes, or `--yes` did. @throws CliError */
export async function mustConfirm(cli: Cli, flags: { yes?: boolean }, question: string): Promise<void> {
  if (flags.yes === true) return;
  if (!cli.terminal.interactive) throw usage(`${question} Nobody can be asked here`, 'add --yes');
  if (!(await cli.terminal.confirm(question))) throw usage('nothing was done');
}
