import { join } from 'node:path';
import { exitCodes, type MachineSeen } from '@strata/model';
import { type Command, Option } from 'commander';
import { CliError } from '../cli-error';
import { installRoot } from '../host/root';
import { draftSpec } from '../spec/draft-spec';
import { sampleSpec } from '../spec/sample';
import { schemaText } from '../spec/schema';
import { SecretCollector } from '../ssh/collect-secrets';
import { type SshFlags, withLogin } from '../ssh/ssh-options';
import { isLocal } from './apply';
import { type Cli, type ContextFlags, withContext, withServer } from './cli';
import { nodeOf } from './node-commands';

interface InitFlags extends ContextFlags, SshFlags {
  name: string;
  ssh?: string[];
  distribution?: string;
}

/** init and schema. */
export function addInitCommands(program: Command, cli: Cli): void {
  const init = withContext(program.command('init').description('print a commented cluster spec to edit; with --ssh one of machines as they are'))
    .option('--name <name>', 'name of the cluster', 'home')
    .option('--ssh <machines...>', 'look at these machines first (USER@HOST or USER@HOST:PORT), changing nothing; the first becomes the control plane')
    .addOption(new Option('--distribution <kind>', 'how Kubernetes is made').choices(['k3s', 'kubernetes']));
  withLogin(init, { trust: 'trust host keys that nobody knows yet (audited); the spec says which they were', byServer: true }).action((flags: InitFlags) =>
    flags.ssh === undefined ? cli.terminal.out(sampleSpec(flags.name, schemaPlace())) : fromMachines(cli, flags.ssh, flags),
  );
  program
    .command('schema')
    .description('print the JSON Schema of a cluster spec, for editors')
    .action(() => cli.terminal.out(schemaText().trimEnd()));
}
/** Where an editor finds the schema: this installation's own. */
const schemaPlace = (): string => join(installRoot(), 'docs/cluster.schema.json');

function fromMachines(cli: Cli, hosts: readonly string[], flags: InitFlags): Promise<void> {
  return withServer(cli, flags, async (client, context) => {
    const collector = new SecretCollector({ env: cli.env, terminal: cli.terminal, serverIsLocal: isLocal(context.url) });
    const asked = hosts.map((ssh, i) => nodeOf(`n${i + 1}`, { ...flags, ssh, role: 'worker', label: [] }));
    const machines = [];
    for (const { node, written } of asked) {
      const collected = await collector.of(node, written); // one after the other: each may ask a person
      machines.push({ node: collected?.node ?? node, ...(collected ? { secrets: collected.secrets } : {}) });
    }
    const seen = await client.lookAtMachines({ machines });
    const findings = seen.machines.flatMap((m, i) => (m.failure ? [{ severity: 'blocker' as const, code: `ssh.${m.failure.code}`, message: m.failure.message, remedy: remedyOf(m.failure, hosts[i] ?? '') }] : []));
    if (findings.length > 0) throw new CliError('no spec was written: not every machine could be looked at; nothing was changed', { exitCode: exitCodes.precheck, findings });
    cli.terminal.out(draftSpec({ cluster: flags.name, distribution: flags.distribution, schema: schemaPlace(), seen, asked: asked.map((a) => a.node) }));
  });
} // prettier-ignore

/** There is no spec yet that a host key could stand in. */
function remedyOf(failure: NonNullable<MachineSeen['failure']>, host: string): string {
  if (failure.code !== 'host-key-unknown') return failure.remedy;
  return `compare it with \`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub\` on the machine itself, then log in there once (\`ssh ${host}\`), or take it unseen with --accept-new-host-key`;
}
