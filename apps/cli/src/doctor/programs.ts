import { spawn } from 'node:child_process';
import { exitCodes } from '@strata/model';
import { CliError } from '../cli-error';
import { bundleOf } from '../host/root';

const deadlineMs = 90_000;

/** Runs a look of the control server's installation that works without the server, and gives what it prints: JSON. `input` is its standard input. */
export async function look(args: readonly string[], input = ''): Promise<unknown> {
  const child = spawn(process.execPath, [bundleOf('server', 'doctor.cjs'), ...args], { stdio: ['pipe', 'pipe', 'inherit'], timeout: deadlineMs });
  child.stdin.on('error', () => undefined).end(input);
  const parts: Buffer[] = [];
  child.stdout.on('data', (part: Buffer) => parts.push(part));
  await new Promise<void>((resolve, reject) => child.once('error', reject).once('close', () => resolve()));
  const said = Buffer.concat(parts).toString();
  const answer = parsed(said);
  const { error, remedy } = answer as { error?: string; remedy?: string };
  if (error !== undefined) throw new CliError(error, { exitCode: exitCodes.failed, remedy });
  return answer;
}
function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new CliError(`the look ended without an answer${text === '' ? '' : `: ${text.slice(0, 200)}`}`, { exitCode: exitCodes.failed, cause });
  }
}
