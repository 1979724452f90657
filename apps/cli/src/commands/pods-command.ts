import { type PodEventsView, PodRef, type PodsView, type PodView } from '@strata/model';
import { type Command, Option } from 'commander';
import { usage } from '../cli-error';
import { watchPods } from '../follow/watch-pods';
import { span, table } from '../output/table';
import { podsText } from '../output/pods-text';
import { type Cli, type ContextFlags, type OutputFlags, show, theCluster, withCluster, withContext, withOutput, withServer } from './cli';
import { type LogFlags, logQuery, tellLogs, withLogs } from './logs';

interface Filter {
  node?: string;
  namespace?: string;
  release?: string;
  layer?: PodView['layer'];
  troubled?: boolean;
}
type Where = ContextFlags & OutputFlags & { cluster?: string };

/** pods: every pod, by node, namespace, layer and release, with what is wrong; pods events|logs: of one of them. */
export function addPodsCommand(program: Command, cli: Cli): void {
  const pods = withOutput(
    withCluster(withContext(program.command('pods').description('every pod: where it runs, whose it is, restarts, state, what it uses, what is wrong'))),
  )
    .option('--node <name>', 'only those of this node')
    .option('-n, --namespace <name>', 'only those of this namespace')
    .option('--release <name>', "only those of this Helm release")
    .addOption(new Option('--layer <name>', 'orchestration: what Kubernetes itself stands on; containerized: all else').choices(['orchestration', 'containerized']))
    .option('--troubled', 'only those that something is wrong with')
    .option('-w, --watch', 'go on with what changes, until Ctrl-C (json: an object a line)')
    .action((flags: Where & Filter & { watch?: boolean }) =>
      withServer(cli, flags, async (client) => {
        const wanted = (p: PodView): boolean => isWanted(p, flags);
        if (flags.watch === true && flags.output === 'yaml') throw usage('--watch has no form yaml', 'take -o json: an object a line');
        const cluster = await theCluster(client, flags.cluster);
        if (flags.watch === true) return watchPods(client, { cluster, wanted, json: flags.output === 'json' }, cli);
        const all = await client.pods(cluster);
        const view: PodsView = { ...all, pods: all.pods.filter(wanted) };
        show(cli, flags, { value: view, words: () => podsText(view, cli.now()) });
      }),
    ); // prettier-ignore

  withOutput(withCluster(withContext(pods.command('events').description('what Kubernetes tells of a pod, the newest last'))))
    .argument('<namespace/name>', 'which pod', podOf)
    .action((of: PodRef, flags: Where) =>
      withServer(cli, flags, async (client) => {
        const found = await client.podEvents(await theCluster(client, flags.cluster), of);
        show(cli, flags, { value: found, words: () => eventsText(found, cli.now()) });
      }),
    );
  withLogs(
    withOutput(withCluster(withContext(pods.command('logs').description('what the containers of a pod say')))).argument('<namespace/name>', 'which pod', podOf),
  ).action((of: PodRef, flags: Where & LogFlags) =>
    withServer(cli, flags, async (client) => tellLogs(cli, flags, client.podLogs(await theCluster(client, flags.cluster), of, logQuery(flags)))),
  );
}

export const isWanted = (p: PodView, { node, namespace, release, layer, troubled }: Filter): boolean =>
  [[node, p.node], [namespace, p.namespace], [release, p.release], [layer, p.layer]].every(([wish, is]) => wish === undefined || wish === is) &&
  (troubled !== true || p.trouble !== null); // prettier-ignore

function podOf(text: string): PodRef {
  const [namespace, name, ...more] = text.split('/');
  const pod = PodRef.safeParse({ namespace, name });
  if (pod.success && more.length === 0) return pod.data;
  throw usage(`"${text}" is not of the form NAMESPACE/NAME`, 'see which pods there are: strata pods');
}

export function eventsText({ events }: PodEventsView, now: number): string {
  if (events.length === 0) return 'Kubernetes tells nothing of it (it forgets what is older than about an hour)';
  const rows = events.map((e) => [
    `${span(now - e.at)} ago`, e.type, e.reason, e.count > 1 ? `${e.count} in ${span(e.at - e.firstAt)}` : '1', e.message.replace(/\s+/g, ' ').trim(),
  ]); // prettier-ignore
  return table(['SEEN', 'TYPE', 'REASON', 'TIMES', 'MESSAGE'], rows);
}
