import type { PodsView, PodView } from '@strata/model';
import type { Command } from 'commander';
import { span, table } from '../output/table';
import { type Cli, type ContextFlags, type OutputFlags, show, theCluster, withCluster, withContext, withOutput, withServer } from './cli';

type Flags = ContextFlags & OutputFlags & { cluster?: string; node?: string; namespace?: string; troubled?: boolean };

/** pods: every pod, by node, namespace, layer and release, with what is wrong. */
export function addPodsCommand(program: Command, cli: Cli): void {
  withOutput(withCluster(withContext(program.command('pods').description('every pod: where it runs, whose it is, restarts, state, what is wrong'))))
    .option('--node <name>', 'only those of this node')
    .option('-n, --namespace <name>', 'only those of this namespace')
    .option('--troubled', 'only those that something is wrong with')
    .action((flags: Flags) =>
      withServer(cli, flags, async (client) => {
        const all = await client.pods(await theCluster(client, flags.cluster));
        const pods = all.pods.filter((p) => isWanted(p, flags));
        show(cli, flags, { value: { ...all, pods }, words: () => podsText({ ...all, pods }, Date.now()) });
      }),
    );
}
const isWanted = (p: PodView, { node, namespace, troubled }: Flags): boolean =>
  (node === undefined || p.node === node) && (namespace === undefined || p.namespace === namespace) && (troubled !== true || p.trouble !== null);

/** As a table, with what is wrong below it. */
export function podsText({ pods, behind, heardAt }: PodsView, now: number): string {
  const rows = pods.map((p) => [
    p.namespace, p.name, p.node ?? '-', p.release ?? '-', `${p.ready.containers}/${p.ready.of}`, p.state, String(p.restarts), p.startedAt === null ? '-' : span(now - p.startedAt),
  ]); // prettier-ignore
  const wrong = pods.flatMap((p) => (p.trouble === null ? [] : [`${p.namespace}/${p.name}: ${p.trouble}`]));
  const stale = behind === null ? [] : [`as of ${heardAt === 0 ? 'never' : `${span(now - heardAt)} ago`}: ${behind}`];
  const shown = rows.length === 0 ? 'no pods' : table(['NAMESPACE', 'POD', 'NODE', 'RELEASE', 'READY', 'STATE', 'RESTARTS', 'AGE'], rows);
  return [shown, ...wrong, ...stale].join('\n');
}
