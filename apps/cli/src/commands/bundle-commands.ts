import { resolve } from 'node:path';
import { exitCodes } from '@strata/model';
import type { Command } from 'commander';
import { CliError } from '../cli-error';
import { bundleSchemaText } from '../spec/schema';
import { type Cli, type OutputFlags, show, withOutput } from './cli';

/** bundle lint, bundle schema: what whoever writes a bundle needs. */
export function addBundleCommands(program: Command, cli: Cli): void {
  const bundle = program.command('bundle').description('what is rolled out in containers: images, charts, manifests');
  withOutput(bundle.command('lint').argument('<folder>', 'a bundle: the folder with bundle.yaml').description('check a bundle: what is wrong, with file, line and column')).action(
    (folder: string, flags: OutputFlags) => lint(cli, folder, flags),
  );
  bundle.command('schema').description('the JSON Schema of bundle.yaml, for editors').action(() => cli.terminal.out(bundleSchemaText().trimEnd()));
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
