import { CommanderError } from 'commander';
import { labProgram } from './cli';
import { LabFailure, failureText } from './failure';
import { readSettings } from './settings';

const terminal = {
  out: (text: string): void => void process.stdout.write(text),
  err: (text: string): void => void process.stderr.write(text),
  exit: (code: number): void => void (process.exitCode = code),
};

labProgram(readSettings(process.env), terminal)
  .parseAsync(process.argv)
  .catch((thrown: unknown) => {
    if (thrown instanceof CommanderError) {
      process.exitCode = thrown.exitCode === 0 ? 0 : 2; // commander has printed the usage error
      return;
    }
    terminal.err(`${failureText(thrown)}\n`);
    process.exitCode = thrown instanceof LabFailure ? thrown.exitCode : 1;
  });
