import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { exitCodes } from '@strata/model';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { down, type DownFlags } from '../host/down';
import { bundleOf, installRoot } from '../host/root';
import { up, type UpFlags } from '../host/up';
import { defaultName, quickstart, type QuickstartOptions } from '../quickstart/quickstart';
import { version } from '../version';
import { type Cli, type ContextFlags, type OutputFlags, parseDuration, show, withContext, withOutput, withServer, withYes } from './cli';
import { describe } from '../cli-error';

const withHome = (command: Command): Command =>
  command.option('--home <dir>', 'where the control server keeps its state; default: $STRATA_HOME or /var/lib/strata-server');
const timeout = (ms: number, text: string): Option => new Option('--timeout <duration>', 'how long to wait').argParser(parseDuration).default(ms, text);

/** up, down, lab, quickstart, version. */
export function addHostCommands(program: Command, cli: Cli): void {
  withHome(program.command('up').description('start the control server of this host, and wait until it takes work'))
    .option('--foreground', 'stay, for a unit of an init system')
    .option('--no-unit', 'do not make it a unit of systemd; it then ends with a reboot')
    .option('--advertise <address...>', 'addresses under which nodes reach this host; default: its own')
    .option('--context <name>', 'under which name to remember it', 'local')
    .addOption(timeout(180_000, '3m'))
    .action((flags: UpFlags) => up(cli, flags));
  withYes(withHome(program.command('down').description('stop the control server of this host; its state and its agents stay')))
    .option('--purge', 'remove its state too')
    .addOption(timeout(60_000, '1m'))
    .action((flags: DownFlags) => down(cli, flags));
  program
    .command('lab')
    .description('real machines on this one, to try things on: strata lab --help')
    .argument('[args...]')
    .helpOption(false)
    .passThroughOptions()
    .allowUnknownOption()
    .action(async (args: string[]) => cli.exit(await passOn([bundleOf('lab', 'lab.cjs'), ...args])));
  program
    .command('quickstart')
    .description('from a fresh machine to a running cluster of three lab nodes, proven')
    .option('--name <name>', 'name of cluster and lab', defaultName)
    .option('--bundles <names>', 'what is rolled out, in this order', 'platform,demo,notes')
    .addOption(new Option('--nodes <number>', 'how many machines').default(3).argParser(count))
    .addOption(new Option('--base <base>', 'what the machines have: nothing, or the packages of the system').choices(['bare', 'ready']).default('bare'))
    .option('--hosts <user@host,...>', 'your own machines by SSH instead of a lab')
    .option('--kubernetes-version <version>', 'of Kubernetes')
    .option('--remove', 'take everything away again')
    .option('--home <dir>', 'where the control server keeps its state')
    .action(async ({ kubernetesVersion, ...flags }: QuickstartOptions & { kubernetesVersion?: string }) => {
      const strata: [string, ...string[]] = [process.execPath, process.argv[1] ?? join(installRoot(), 'apps/cli/dist-bundle/strata.cjs')];
      cli.exit(await quickstart({ ...flags, ...(kubernetesVersion ? { version: kubernetesVersion } : {}) }, strata));
    });
  withOutput(withContext(program.command('version').description('of this program and of the control server'))).action(
    async (flags: ContextFlags & OutputFlags) => {
      const server = await withServer(cli, flags, (client) => client.version()).catch((error: unknown) => describe(error).message);
      const words = (): string =>
        `strata ${version}\ncontrol server ${typeof server === 'string' ? `not reached: ${server}` : `${server.version} (agents ${server.agentVersion})`}`;
      show(cli, flags, { value: { strata: version, server: typeof server === 'string' ? null : server }, words });
    },
  );
}

function count(text: string): number {
  const n = Number(text);
  if (!Number.isInteger(n) || n < 1 || n > 20) throw new InvalidArgumentError('Write a number from 1 to 20.');
  return n;
}
/** Another program of ours with our own input and output. Returns its exit code; Ctrl-C is its business. */
function passOn(argv: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, argv, { stdio: 'inherit' });
    const wait = (): void => undefined;
    const pass = (): void => void child.kill('SIGTERM');
    process.on('SIGINT', wait).on('SIGTERM', pass);
    child.once('error', reject);
    child.once('close', (code) => {
      process.off('SIGINT', wait).off('SIGTERM', pass);
      resolve(code ?? exitCodes.interrupted);
    });
  });
}
