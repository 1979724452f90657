import type { AppLogLine, AppLogQuery } from '@strata/model';
import { type Command, Option } from 'commander';
import { type Cli, type OutputFlags, parseDuration } from './cli';

export interface LogFlags {
  follow?: boolean;
  previous?: boolean;
  container?: string;
  since?: number; // ms
  tail: number;
}
/** Which lines of containers: the same for an application and for a pod. */
export const withLogs = (command: Command): Command =>
  command
    .option('-f, --follow', 'go on with what they say from now on, also in new pods and new lives')
    .option('--previous', 'of the life before this one')
    .option('-c, --container <name>', 'only of this one')
    .addOption(new Option('--since <duration>', 'not older than this (10m, 2h)').argParser(parseDuration))
    .option('--tail <lines>', 'so many of each container at most', Number, 200);

export const logQuery = ({ follow, previous, container, since, tail }: LogFlags): AppLogQuery => ({
  follow: String(follow === true),
  previous: String(previous === true),
  container,
  since: since === undefined ? undefined : Math.max(1, Math.round(since / 1000)),
  tail: Number.isInteger(tail) ? tail : 200,
});

/** Prints lines as they come: for people, or a JSON object a line. */
export async function tellLogs(cli: Cli, { output }: OutputFlags, lines: AsyncIterable<AppLogLine>): Promise<void> {
  for await (const l of lines) cli.terminal.out(output === 'table' ? logText(l) : JSON.stringify(l));
}
const logText = ({ pod, container, text }: AppLogLine): string => (container === null ? `${pod} (${text})` : `${pod} ${container}: ${text}`);
