import { type ApiClient, ApiError } from '@strata/api-client';
import type { Command } from 'commander';
import { forgetKubeconfig, mergeKubeconfig, readKubeconfig, sayForgotten } from '../kubernetes/kubeconfig';
import { runKubectl } from '../kubernetes/kubectl';
import { stringify } from 'yaml';
import { table } from '../output/table';
import { intentOf, startAndFollow } from './apply';
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
import { addImagesCommand } from './images-command';
import { addPodsCommand } from './pods-command';
import { addStatusCommand, stateWords } from './status-command';

type Flags = ContextFlags & { cluster?: string };

/** status, pods, cluster list|show|delete, kubeconfig, kubectl, uninstall. */
export function addClusterCommands(program: Command, cli: Cli): void {
  addStatusCommand(program, cli);
  const cluster = program.command('cluster').description('the clusters of this control server');
  withOutput(withContext(cluster.command('list').description('every cluster'))).action((flags: ContextFlags & OutputFlags) =>
    withServer(cli, flags, async (client) => {
      const all = await client.clusters();
      const rows = all.map((c) => [
        c.name,
        stateWords(c),
        `${c.spec.spec.distribution.kind} ${c.spec.spec.distribution.version ?? ''}`.trim(),
        c.state === 'uninstalled' ? '0' : String(c.spec.spec.nodes.length), // its machines are its own no more
        String(c.specVersion),
        c.openRun ?? '-',
      ]);
      show(cli, flags, {
        value: all,
        words: () => (rows.length === 0 ? 'no cluster yet' : table(['CLUSTER', 'STATE', 'DISTRIBUTION', 'NODES', 'SPEC', 'RUN'], rows)),
      });
    }),
  );
  withOutput(
    withContext(cluster.command('show').argument('[name]', 'may be left out while there is one').description('one cluster: its spec as the server has it')),
  ).action((name: string | undefined, flags: ContextFlags & OutputFlags) =>
    withServer(cli, flags, async (client) => {
      const found = await client.cluster(await theCluster(client, name));
      show(cli, flags, { value: found, words: () => `# ${found.name}: ${stateWords(found)}, spec ${found.specVersion}\n${stringify(found.spec).trimEnd()}` });
    }),
  );
  withYes(withContext(cluster.command('delete').argument('<name>').description('forget a cluster that is uninstalled')))
    .option('--force', 'also one whose machines still belong to it: they are left as they are')
    .action((name: string, flags: ContextFlags & { yes?: boolean; force?: boolean }) =>
      withServer(cli, flags, async (client) => {
        await mustConfirm(cli, flags, `Forget cluster ${name}?`);
        await client.deleteCluster(name, flags.force === true);
        cli.terminal.out(`cluster ${name} is forgotten`);
      }),
    );
  withCluster(withContext(program.command('kubeconfig').description('the admin kubeconfig of a cluster')))
    .option('--merge', 'put it into $KUBECONFIG or ~/.kube/config and make it the current one, instead of printing it')
    .action((flags: Flags & { merge?: boolean }) =>
      withServer(cli, flags, async (client, { home }) => {
        const name = await theCluster(client, flags.cluster);
        const own = readKubeconfig(await client.kubeconfig(name), (await client.cluster(name)).name);
        if (flags.merge !== true) return cli.terminal.out(own.text);
        const { path, context } = mergeKubeconfig(own, cli.env, home ?? undefined);
        cli.terminal.out(`${path}: context "${context}" is the current one`);
      }),
    );
  withCluster(withContext(program.command('kubectl').description("kubectl of the cluster's own version, with its kubeconfig: strata kubectl -- get nodes")))
    .argument('[args...]', 'what kubectl is to do')
    .passThroughOptions()
    .allowUnknownOption()
    .action((args: string[], flags: Flags) =>
      withServer(cli, flags, async (client) => cli.exit(await runKubectl({ cli, client, cluster: await theCluster(client, flags.cluster) }, args))),
    );
  addPodsCommand(program, cli);
  addImagesCommand(program, cli);
  withYes(
    withFollow(
      withCluster(withContext(program.command('uninstall').argument('[cluster]').description('take a cluster off its machines: each is given back as it was'))),
    ),
  )
    .option('--force', 'also if a node cannot be reached: nothing is undone there then')
    .option('--wait', 'begin when the run that is at work on the cluster is over, instead of ending with 5')
    .option('--delete-data', 'also delete the data of the shared file system: what is in its bucket, and its metadata')
    .option('--detach', 'do not watch')
    .action(
      (named: string | undefined, flags: Flags & FollowFlags & { yes?: boolean; force?: boolean; deleteData?: boolean; detach?: boolean; wait?: boolean }) =>
        withServer(cli, flags, async (client) => {
          const name = await theCluster(client, named ?? flags.cluster);
          const data = flags.deleteData === true;
          await mustConfirm(
            cli,
            flags,
            `Take cluster ${name} off all its machines? What runs there is lost${data ? ', and all data of its shared file system' : ''}.`,
          );
          const intent = intentOf('uninstall', { force: flags.force === true, ...(data ? { deleteData: true } : {}) });
          const own = await kubeconfigOf(client, name);
          await startAndFollow(cli, client, { cluster: name, intent, flags });
          if (own !== null && flags.detach !== true && (await kubeconfigOf(client, name)) === null)
            sayForgotten(cli.terminal, forgetKubeconfig(cli.env, { own: readKubeconfig(own, (await client.cluster(name)).name) }));
        }),
    );
}

/** The server forgets it in the midst of an uninstall: null from then on. */
const kubeconfigOf = (client: ApiClient, cluster: string): Promise<string | null> =>
  client.kubeconfig(cluster).catch((error: unknown) => {
    if (error instanceof ApiError && error.code === 'no-kubeconfig') return null;
    throw error;
  });
