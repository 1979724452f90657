import type { ApiClient } from '@strata/api-client';
import type { ApplyClusterBody } from '@strata/model';
import type { Command } from 'commander';
import { followOrTell, intentOf, readSpec, startAndFollow } from './apply';
import { type Cli, type ContextFlags, type FollowFlags, mustConfirm, theCluster, withCluster, withContext, withFollow, withServer, withYes } from './cli';

type MoveFlags = ContextFlags & FollowFlags & { cluster?: string; detach?: boolean; yes?: boolean };

/** storage migrate|commit|rollback. */
export function addMoves(storage: Command, cli: Cli): void {
  const move = (name: string, text: string): Command =>
    withYes(withFollow(withCluster(withContext(storage.command(name).description(text))))).option('--detach', 'do not watch');
  move('migrate', 'the tree of one node becomes the shared one of all, while the cluster runs; undone by rollback until commit')
    .requiredOption('--from <node>', 'whose tree it is')
    .option('-f, --file <file>', 'the spec with the storage that the cluster shall have; else its own, with `kind: juicefs`')
    .action((flags: MoveFlags & { from: string; file?: string }) =>
      withServer(cli, flags, async (client, context) => {
        const draft = flags.file === undefined ? null : await readSpec(cli, flags.file, { client, context });
        const cluster = draft?.spec.metadata.name ?? (await theCluster(client, flags.cluster));
        await mustConfirm(
          cli,
          flags,
          `This makes the tree of ${flags.from} the one of all nodes of ${cluster}; workloads that use it stand still at its end. Go on?`,
        );
        const { runId } = await client.startRun(cluster, intentOf('migrate-storage', { nodes: [flags.from] }), draft ?? (await asShared(client, cluster)));
        await followOrTell(cli, client, { runId, flags });
      }),
    );
  for (const [name, kind, text, question] of [
    ['commit', 'commit-storage', 'the migration stays: the old trees are deleted', 'This deletes the old tree on every node'],
    [
      'rollback',
      'rollback-storage',
      "the migration is taken back: what changed since goes into the old tree, which is the machine's again",
      'This gives each node its old tree back; workloads that use it stand still meanwhile, on all nodes',
    ],
  ] as const)
    move(name, text).action((flags: MoveFlags) =>
      withServer(cli, flags, async (client) => {
        const cluster = await theCluster(client, flags.cluster);
        await mustConfirm(cli, flags, `${question} of ${cluster}. Go on?`);
        await startAndFollow(cli, client, { cluster, intent: intentOf(kind), flags });
      }),
    );
}
/** storage drill|failover. */
export function addSwitches(storage: Command, cli: Cli): void {
  const command = (name: string, text: string): Command =>
    withYes(withFollow(withCluster(withContext(storage.command(name).description(text))))).option('--detach', 'do not watch');
  const start = (kind: 'drill-storage' | 'failover-storage', question: string) => (flags: MoveFlags & { force?: boolean }) =>
    withServer(cli, flags, async (client) => {
      const cluster = await theCluster(client, flags.cluster);
      await mustConfirm(cli, flags, `${question} of ${cluster}. Go on?`);
      await startAndFollow(cli, client, { cluster, intent: intentOf(kind, { force: flags.force === true }), flags });
    });
  command('drill', 'the planned switch: the replica of the metadata becomes the primary, and nothing is lost').action(
    start('drill-storage', 'This makes the replica of the metadata their primary; writes wait meanwhile, on all nodes'),
  );
  command('failover', 'the primary of the metadata is lost: its replica takes over, with every node fenced, and what is lost is said')
    .option('--force', 'also with a replica that was in step last an hour ago or more')
    .action(
      start('failover-storage', 'This unmounts the shared file system on every node, and drops what the replica of the metadata does not have, for all nodes'),
    );
}
/** The cluster's own spec, with all that has a default. */
async function asShared(client: ApiClient, cluster: string): Promise<ApplyClusterBody> {
  const { spec } = await client.cluster(cluster);
  return { spec: { ...spec, spec: { ...spec.spec, storage: { ...spec.spec.storage, kind: 'juicefs' } } }, secrets: {} };
}
