import { exitCodes } from '@strata/model';
import { CommanderError } from 'commander';
import type { Cli } from './commands/cli';
import { describe, errorText } from './cli-error';
import { strataProgram } from './program';
import { processTerminal } from './terminal';

const cli: Cli = { env: process.env, terminal: processTerminal(), now: () => Date.now(), exit: (code) => void (process.exitCode = code) };
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0); // whoever read us has seen enough
  throw error;
});

strataProgram(cli)
  .parseAsync(process.argv)
  .catch((error: unknown) => {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : exitCodes.usage; // commander has said what is wrong
      return;
    }
    const described = describe(error);
    process.exitCode = described.exitCode;
    if (process.argv.includes('--log-format') && process.argv.includes('json')) cli.terminal.err(JSON.stringify({ kind: 'error', ...described }));
    else cli.terminal.err(errorText(error));
    if (described.code === 'internal' && process.env.STRATA_DEBUG && error instanceof Error) cli.terminal.err(error.stack ?? '');
  });
