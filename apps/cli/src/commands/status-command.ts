import { type ApiClient, ConnectionError } from '@strata/api-client';
import { type ClusterHealth, type ClusterView, exitCodes } from '@strata/model';
import type { Command } from 'commander';
import { CliError } from '../cli-error';
import { resolveContext, type ServerContext } from '../context/context';
import { homeOf, supervisorTrouble } from '../host/server-home';
import { isLocal } from './apply';
import { type Cli, type ContextFlags, type OutputFlags, show, withCluster, withContext, withOutput, withServer } from './cli';
import { nodeTable } from './node-commands';
import { nowLines, runTable } from './run-commands';

type Flags = ContextFlags & OutputFlags & { cluster?: string };

/** status: all of it on one page. Ends with 0 only when every layer of every cluster is well; one that was only planned has none. */
export function addStatusCommand(program: Command, cli: Cli): void {
  const words = 'the server, the three layers of every cluster, and what is going on; exit 0 only when all gates hold';
  withOutput(withCluster(withContext(program.command('status').description(words)))).action((flags: Flags) =>
    withServer(cli, flags, (client, context) => status(cli, client, { flags, context })).catch((error: unknown) => {
      const trouble = supervisorTrouble(resolveContext(flags, cli.env).home ?? homeOf(undefined, cli.env));
      if (trouble === null || !(error instanceof ConnectionError)) throw error;
      throw new CliError(`${error.message}; ${trouble}`, { exitCode: exitCodes.failed, remedy: 'strata up; what else is wrong: strata doctor', cause: error }); // prettier-ignore
    }),
  );
}

export async function status(cli: Cli, client: ApiClient, at: { flags: Flags; context: ServerContext }): Promise<void> {
  const { url, home } = at.context;
  const trouble = isLocal(url) ? supervisorTrouble(home ?? homeOf(undefined, cli.env)) : null;
  const version = await client.version();
  const clusters = (await client.clusters()).filter((c) => at.flags.cluster === undefined || c.name === at.flags.cluster || c.id === at.flags.cluster);
  const all = await Promise.all(
    clusters.map(async (c) => {
      const health = c.state === 'uninstalled' || c.onlyPlanned ? null : await client.health(c.id);
      const newest = (await client.runs({ cluster: c.id, limit: 1 })).runs[0];
      const run = c.openRun ?? newest?.id;
      return { cluster: c, health, nodes: await client.nodes(c.id), run: run === undefined ? null : await client.run(run) };
    }),
  );
  const words = (): string => {
    const lines = [`control server ${version.version} at ${url}`];
    if (trouble !== null) lines.push(`  ${trouble}`, '  what to do: strata up');
    if (all.length === 0) lines.push('', 'no cluster yet: strata init > cluster.yaml, edit it, strata apply -f cluster.yaml');
    for (const { cluster, health, nodes, run } of all) {
      lines.push('', `cluster ${cluster.name}: ${stateWords(cluster)}`, ...(health === null ? [] : healthLines(health)), '', nodeTable(nodes, cli.now()));
      if (run === null) continue;
      lines.push('', run.state === 'ended' ? 'the last run' : 'at work', runTable([run], cli.now()));
      if (run.because) lines.push(`  ${run.because}`);
      lines.push(...nowLines(run, cli.now()));
    }
    return lines.join('\n');
  };
  show(cli, at.flags, { value: { server: { url, ...version, trouble }, clusters: all }, words });
  if (all.some(({ health }) => health !== null && !health.healthy)) cli.exit(exitCodes.failed);
}

export const stateWords = ({ state, onlyPlanned }: Pick<ClusterView, 'state' | 'onlyPlanned'>): string => (onlyPlanned ? 'planned, not applied' : state);

/** A line a layer, and below it each part that is not well. */
export function healthLines({ layers }: ClusterHealth): string[] {
  const width = Math.max(...layers.map((l) => l.layer.length));
  return layers.flatMap(({ layer, ok, parts }) => {
    const wrong = parts.filter((p) => !p.ok);
    const known = parts.length === 0 ? 'nothing is to be there' : ok ? parts.map((p) => p.what).join(', ') : `${wrong.length} of ${parts.length} not well`;
    return [`  ${ok ? '✓' : '✗'} ${layer.padEnd(width)}  ${shortened(known)}`, ...wrong.map((p) => `      ${p.what}: ${p.words}`)];
  });
}
const longest = 100;
const shortened = (words: string): string => (words.length <= longest ? words : `${words.slice(0, words.lastIndexOf(',', longest))}, …`);
