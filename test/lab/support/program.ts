import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';

export const root = join(__dirname, '../../..');
export const node = join(root, 'node_modules/.bin/node');
export const strataProgram = join(root, 'apps/cli/dist-bundle/strata.cjs');
export const labProgram = join(root, 'apps/lab/dist-bundle/lab.cjs');

export interface Ran {
  /** Exit status; 124 when it ran past its time, 128 + n when signal n ended it. */
  code: number;
  stdout: string;
  stderr: string;
}
export interface RunOptions {
  timeoutMs: number;
  input?: string | undefined;
  env?: Readonly<Record<string, string>> | undefined;
}

/** Runs a program to its end and collects what it says. It is killed, with its group, when its time is over. */
export async function runProgram(argv: readonly string[], options: RunOptions): Promise<Ran> {
  const child = startProgram(argv, options);
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  }, options.timeoutMs);
  try {
    const code = await ended(child);
    return { code: late ? 124 : code, stdout, stderr: late ? `${stderr}\nkilled by the test after ${options.timeoutMs / 1000} s: ${argv.join(' ')}` : stderr };
  } finally {
    clearTimeout(timer);
  }
}

/** Starts a program in a process group of its own; its outputs are pipes, `input` is all of its input. */
export function startProgram(argv: readonly string[], options: Omit<RunOptions, 'timeoutMs'>): ChildProcess {
  const [program = '', ...args] = argv;
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], detached: true, env: environment(options.env) });
  child.stdin?.on('error', () => undefined); // it may end before it has read all
  child.stdin?.end(options.input ?? '');
  return child;
}
/** Ours with `more`; what is empty there is not set at all. */
const environment = (more: RunOptions['env'] = {}): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries({ ...process.env, NODE_OPTIONS: '', ...more }).filter(([, value]) => value !== ''));

const signals: Readonly<Record<string, number>> = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 };
/** The exit status of a started program. */
export function ended(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(code ?? 128 + (signals[signal ?? ''] ?? 0)));
  });
}

/** As `runProgram`; anything but exit status 0 throws with the last words of both outputs. */
export async function must(argv: readonly string[], options: RunOptions): Promise<Ran> {
  const ran = await runProgram(argv, options);
  if (ran.code !== 0) throw new Error(`\`${argv.join(' ').slice(0, 300)}\` ended with exit status ${ran.code}\n${lastWords(ran)}`);
  return ran;
}
export const lastWords = ({ stdout, stderr }: Ran, lines = 40): string =>
  [stdout, stderr].map((text) => text.trimEnd().split('\n').slice(-lines).join('\n')).filter(Boolean).join('\n---\n'); // prettier-ignore

/** Asks until `look` gives something other than null or false, and gives that. @throws Error saying what was waited for */
export async function until<T>(what: string, timeoutMs: number, look: () => Promise<T | null | false> | T | null | false): Promise<T> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const seen = await look();
    if (seen !== null && seen !== false) return seen;
    if (performance.now() > end) throw new Error(`waited ${timeoutMs / 1000} s for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
