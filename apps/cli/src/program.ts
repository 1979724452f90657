import { Command } from 'commander';
import { addAccountCommands } from './commands/account-commands';
import { addAppCommands } from './commands/app-commands';
import { addBundleCommands } from './commands/bundle-commands';
import { addCareCommands } from './commands/care-commands';
import { addClusterCommands } from './commands/cluster-commands';
import { addStorageCommands } from './commands/storage-commands';
import type { Cli } from './commands/cli';
import { addHostCommands } from './commands/host-commands';
import { addNodeCommands } from './commands/node-commands';
import { addRunCommands } from './commands/run-commands';
import { addSpecCommands } from './commands/spec-commands';
import { addCompletion } from './completion';
import { version } from './version';

/** The whole command line. */
export function strataProgram(cli: Cli): Command {
  const program = new Command('strata')
    .description('Installs and runs clusters of many machines from one control host.')
    .version(version, '-V, --version')
    .enablePositionalOptions()
    .showHelpAfterError('(strata COMMAND --help shows its options)')
    .exitOverride()
    .configureOutput({ writeOut: (text) => cli.terminal.out(text.trimEnd()), writeErr: (text) => cli.terminal.err(text.trimEnd()) });
  addHostCommands(program, cli);
  addSpecCommands(program, cli);
  addNodeCommands(program, cli);
  addRunCommands(program, cli);
  addClusterCommands(program, cli);
  addStorageCommands(program, cli);
  addAppCommands(program, cli);
  addBundleCommands(program, cli);
  addAccountCommands(program, cli);
  addCareCommands(program, cli);
  addCompletion(program);
  return program;
}
