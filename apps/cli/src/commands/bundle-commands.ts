import { resolve } from 'node:path';
import { exitCodes } from '@strata/model';
import { type Command, Option } from 'commander';
import { CliError } from '../cli-error';
import { bundleSchemaText } from '../spec/schema';
import { create, type CreateFlags, inspect, list, push, trust, untrust, verify } from './bundle-files';
import { type Cli, type ContextFlags, type OutputFlags, parseDuration, show, withContext, withOutput } from './cli';

/** bundle lint, bundle schema: what whoever writes a bundle needs; the others: bundle files, to carry all that an install needs to where nothing can be reached. */
export function addBundleCommands(program: Command, cli: Cli): void {
  const bundle = program.command('bundle').description('what is rolled out in containers: images, charts, manifests');
  withOutput(bundle.command('lint').argument('<folder>', 'a bundle: the folder with bundle.yaml').description('check a bundle: what is wrong, with file, line and column')).action(
    (folder: string, flags: OutputFlags) => lint(cli, folder, flags),
  );
  bundle.command('schema').description('the JSON Schema of bundle.yaml, for editors').action(() => cli.terminal.out(bundleSchemaText().trimEnd()));
  addBundleFileCommands(bundle, cli);
} // prettier-ignore

function addBundleFileCommands(bundle: Command, cli: Cli): void {
  withContext(bundle.command('create').argument('<name@version>', 'how the file is called: a server takes no older one of a name').description('make one signed file of all that an install needs, for a server that reaches nothing'))
    .option('-f, --file <path>', 'the cluster spec: everything that a plan of it needs is packed; - is standard input')
    .option('--bundle <name...>', 'these bundles, with their images', [])
    .option('--artifact <name@version...>', 'these entries of the catalog', [])
    .addOption(new Option('--valid <duration>', 'for how long the file can be taken').argParser(parseDuration).default(365 * 86_400_000, '365d'))
    .requiredOption('-o, --output <file>', 'where to put it')
    .action((named: string, flags: CreateFlags) => create(cli, named, flags));
  withOutput(bundle.command('inspect').argument('<file>').description('what is in a bundle file, who signed it, and whether it is whole; without a server, and trusting nobody')).action(
    (file: string, flags: OutputFlags) => inspect(cli, file, flags),
  );
  withOutput(withContext(bundle.command('verify').argument('<file>').description('whether the server would take a bundle file: signer, age, and every byte of it')))
    .option('--key <fingerprint>', 'trust this signer instead of those whom the server trusts; no server is asked then')
    .action((file: string, flags: ContextFlags & OutputFlags & { key?: string }) => verify(cli, file, flags));
  withOutput(withContext(bundle.command('push').argument('<file>').description('give a bundle file to the server: it takes all of it, or refuses it and says why'))).action(
    (file: string, flags: ContextFlags & OutputFlags) => push(cli, file, flags),
  );
  withOutput(withContext(bundle.command('list').description('the bundle files that the server has taken'))).action((flags: ContextFlags & OutputFlags) => list(cli, flags));
  withOutput(withContext(bundle.command('trust').argument('[fingerprint]').description('take the bundle files of this signer from now on')))
    .option('--list', 'whose files are taken, and the fingerprint of the server itself')
    .action((key: string | undefined, flags: ContextFlags & OutputFlags & { list?: boolean }) => trust(cli, key, flags));
  withOutput(withContext(bundle.command('untrust').argument('<fingerprint>').description('take no more bundle files of this signer; what was taken stays'))).action(
    (key: string, flags: ContextFlags & OutputFlags) => untrust(cli, key, flags),
  );
} // prettier-ignore

/** @throws CliError (exit 2) with all that is wrong in a file as FILE:LINE:COLUMN */
async function lint(cli: Cli, folder: string, flags: OutputFlags): Promise<void> {
  const { readBundle } = await import('@strata/artifacts'); // only this command needs it: the others start faster
  const read = await readBundle(resolve(folder)).catch((cause: unknown) => {
    throw new CliError(`${folder} is not a bundle that can be used\n${indented(cause instanceof Error ? cause.message : String(cause))}`, {
      exitCode: exitCodes.usage,
      remedy: 'correct what is named, then try again; `strata bundle schema` tells an editor what belongs there',
    });
  });
  const { metadata, components, images } = read.bundle;
  show(cli, flags, {
    value: read.bundle,
    words: () => `${folder} is good: bundle "${metadata.name}" ${metadata.version}, ${components.length} components, ${images.length} images`,
  });
}
const indented = (text: string): string => text.replaceAll(/^/gm, '  ');
