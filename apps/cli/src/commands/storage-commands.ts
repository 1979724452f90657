import type { Command } from 'commander';
import { RestoreFrom } from '@strata/model';
import { usage } from '../cli-error';
import { intentOf, startAndFollow } from './apply';
import { type Cli, type ContextFlags, type FollowFlags, mustConfirm, type OutputFlags, show, theCluster, withCluster, withContext, withFollow, withOutput, withServer, withYes } from './cli'; // prettier-ignore
import { addMoves, addSwitches } from './storage-moves';
import { storageWords } from './storage-words';

/** storage verify|status|restore|drill|failover|migrate|commit|rollback. */
export function addStorageCommands(program: Command, cli: Cli): void {
  const storage = program.command('storage').description('the shared file system of a cluster (docs/storage.md)');
  withFollow(withCluster(withContext(storage.command('verify').description('each node writes into the shared view now, and reads what all others wrote'))))
    .option('--detach', 'do not watch')
    .action((flags: ContextFlags & FollowFlags & { cluster?: string; detach?: boolean }) =>
      withServer(cli, flags, async (client) => {
        await startAndFollow(cli, client, { cluster: await theCluster(client, flags.cluster), intent: intentOf('verify-storage'), flags });
      }),
    );
  withOutput(
    withCluster(withContext(storage.command('status').description('how the storage is on every node now; ends with 1 when something is wrong'))),
  ).action((flags: ContextFlags & OutputFlags & { cluster?: string }) =>
    withServer(cli, flags, async (client) => {
      const status = await client.storage(await theCluster(client, flags.cluster));
      show(cli, flags, { value: status, words: () => storageWords(status) });
      if (status.problems.length > 0) cli.exit(1);
    }),
  );
  withYes(
    withFollow(
      withCluster(
        withContext(
          storage.command('restore').description('restores the metadata with every node fenced: all unmount, all caches go, and no number is given out twice'),
        ),
      ),
    ),
  )
    .requiredOption('--from <dump>', "`latest`, the name of a dump on the metadata's node, or `current`: keep what is there, and only make it safe")
    .option('--detach', 'do not watch')
    .action((flags: ContextFlags & FollowFlags & { cluster?: string; detach?: boolean; from: string; yes?: boolean }) =>
      withServer(cli, flags, async (client) => {
        const [cluster, from] = [await theCluster(client, flags.cluster), fromOf(flags.from)];
        const what = from === 'current' ? 'keeps the metadata as they are' : 'drops everything that was written after that dump';
        await mustConfirm(cli, flags, `This unmounts the shared file system on every node of ${cluster}, and ${what}. Go on?`);
        await startAndFollow(cli, client, { cluster, intent: intentOf('restore-storage', { from }), flags });
      }),
    );
  addSwitches(storage, cli);
  addMoves(storage, cli);
}

function fromOf(text: string): RestoreFrom {
  const from = RestoreFrom.safeParse(text);
  if (from.success) return from.data;
  throw usage(
    `--from ${text} is neither \`latest\`, \`current\` nor the name of a dump`,
    'they are in /var/lib/strata-metadata-dumps on the node of the metadata, NAME.json.gz',
  );
}
