import { changesText } from '@strata/model';
import type { Command } from 'commander';
import { doctor, type DoctorFlags } from '../doctor/doctor';
import { withLogin } from '../ssh/ssh-options';
import { support, type SupportFlags } from '../support/support';
import { type Cli, type ContextFlags, type OutputFlags, show, theCluster, withCluster, withContext, withOutput, withServer } from './cli';

/** doctor, support, node changes: what looks after a cluster that runs. */
export function addCareCommands(program: Command, cli: Cli): void {
  const examine = withOutput(
    withCluster(
      withContext(
        program
          .command('doctor')
          .argument('[node]')
          .description('what is wrong with the control host and the nodes, the root cause first; exit 0 only when all is well'),
      ),
    ),
  )
    .option('--all', 'show also what is well')
    .option('--home <dir>', 'where the control server of this host keeps its state; default: $STRATA_HOME or /var/lib/strata-server')
    .option('--ssh <user@host[:port]>', 'look at the node by SSH, read only: for one whose agent is dead');
  withLogin(examine, { trust: 'trust a host key that nobody knows yet', one: true }).action((node: string | undefined, flags: DoctorFlags) =>
    doctor(cli, node, flags),
  );
  withContext(
    program
      .command('support')
      .description('one archive for whoever is to help: logs, ledger, facts of the control host and all nodes that answer, without secrets'),
  )
    .option('--node <name...>', 'only these nodes')
    .option('-o, --output <file>', 'where to put it; default: strata-support-TIME.tar.gz here')
    .option('--home <dir>', 'where the control server of this host keeps its state; default: $STRATA_HOME or /var/lib/strata-server')
    .action((flags: SupportFlags) => support(cli, flags));
  const node = program.commands.find((c) => c.name() === 'node') ?? program;
  withOutput(
    withCluster(
      withContext(
        node.command('changes').argument('<name>').description('everything on a node that Strata owns, with what was there before and which task made it'),
      ),
    ),
  ).action((name: string, flags: ContextFlags & OutputFlags & { cluster?: string }) =>
    withServer(cli, flags, async (client) => {
      const found = await client.changes(await theCluster(client, flags.cluster), name);
      show(cli, flags, { value: found, words: () => changesText(found.changes) });
    }),
  );
}
