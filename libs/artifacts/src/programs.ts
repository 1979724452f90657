import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export interface RunOptions {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  signal?: AbortSignal;
  /** Milliseconds until the program and all its children are killed. */
  deadlineMs: number;
  /** Every line of standard error, as it comes. */
  onLine?: (line: string) => void;
}

const keptLines = 40;

/**
 * Runs a program at low priority in a process group of its own and gives its standard output. On abort or deadline the whole group is killed.
 * Throws with the command, how it ended, and the last lines of standard error.
 */
export async function runProgram(argv: readonly [string, ...string[]], options: RunOptions): Promise<string> {
  options.signal?.throwIfAborted();
  const child = spawn('nice', ['-n', '10', ...argv], {
    cwd: options.cwd,
    env: options.env ?? process.env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const killGroup = (): void => {
    try {
      if (child.pid) process.kill(-child.pid, 'SIGKILL');
    } catch {
      // the group is gone already
    }
  };
  const onAbort = (): void => killGroup();
  options.signal?.addEventListener('abort', onAbort, { once: true });
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    killGroup();
  }, options.deadlineMs);
  const output: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
  const last: string[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => {
    last.push(line);
    if (last.length > keptLines) last.shift();
    options.onLine?.(line);
  });
  try {
    const code = await new Promise<number | string>((resolve, reject) => {
      child.once('error', (cause) => reject(new Error(`${argv[0]} could not be started: ${cause.message}`, { cause })));
      child.once('close', (status, killedBy) => resolve(status ?? killedBy ?? 'unknown'));
    });
    options.signal?.throwIfAborted();
    if (timedOut) throw new Error(`${argv.slice(0, 4).join(' ')} was killed after ${options.deadlineMs / 1000} s without an end`);
    if (code !== 0) throw new Error(`${argv.slice(0, 4).join(' ')} ended with ${code}: ${last.slice(-8).join(' | ')}`);
    return Buffer.concat(output).toString();
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener('abort', onAbort);
  }
}

/** The program's output, or undefined when it is not there or fails. */
export async function tryProgram(argv: readonly [string, ...string[]], options: RunOptions): Promise<string | undefined> {
  return runProgram(argv, options).catch(() => undefined);
}
