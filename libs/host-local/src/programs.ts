import { spawn } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { StringDecoder } from 'node:string_decoder';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ProgramResult, RunOptions } from '@strata/tasks';
import { TaskError } from '@strata/tasks';

export type Argv = readonly [string, ...string[]];
export const systemPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const maxOutput = 8 * 1024 * 1024;
/** A program in a call of the kernel that nothing interrupts (a file system whose server hangs) is waited for so long after it was killed, and then left to end by itself. */
const stuckMs = 5_000;
const signals: Record<string, number> = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGABRT: 6, SIGKILL: 9, SIGSEGV: 11, SIGTERM: 15 };

/** Cuts a byte stream into lines, as they come. */
export function lineSplitter(take: (line: string) => void): { push(chunk: Buffer): void; end(): void } {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  return {
    push(chunk) {
      const parts = (rest + decoder.write(chunk)).split(/\r?\n|\r/);
      rest = parts.pop() ?? '';
      for (const line of parts) take(line);
    },
    end() {
      if (rest) take(rest);
      rest = '';
    },
  };
}

/**
 * Runs a program in a process group of its own, with a clean environment. On deadline or abort the whole group is ended.
 * @throws TaskError `no-program`, `timeout`, or `stopped`.
 */
export async function runProgram(argv: Argv, options: RunOptions & { source?: Readable } = {}): Promise<ProgramResult> {
  const timeoutMs = options.timeoutMs ?? 60_000;
  const shown = argv.join(' ').slice(0, 200);
  if (options.signal?.aborted) throw new TaskError('stopped', `\`${shown}\` was not started: the order was stopped`, { remedy: 'retry the step', retry: true });
  const child = spawn(argv[0], argv.slice(1), {
    cwd: options.cwd ?? '/',
    env: { PATH: systemPath, LANG: 'C.UTF-8', HOME: '/root', ...libfaketime(), ...options.env },
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let ended: 'timeout' | 'stopped' | null = null;
  let abandon = (): void => undefined;
  const kill = (why: 'timeout' | 'stopped'): void => {
    ended ??= why;
    killGroup(child.pid, 'SIGTERM');
    setTimeout(() => {
      killGroup(child.pid, 'SIGKILL');
      setTimeout(() => abandon(), stuckMs).unref();
    }, 3000).unref();
  };
  const onAbort = (): void => kill('stopped');
  options.signal?.addEventListener('abort', onAbort, { once: true });
  const timer = setTimeout(() => kill('timeout'), timeoutMs);
  const kept = { stdout: keep(child.stdout, (l) => options.onLine?.(l, 'stdout')), stderr: keep(child.stderr, (l) => options.onLine?.(l, 'stderr')) };
  child.stdin.on('error', () => undefined); // a program that does not read its input is its own affair; its status tells
  if (options.source) void pipeline(options.source, child.stdin).catch(() => kill('stopped'));
  else child.stdin.end(options.input ?? '');
  try {
    const code = await new Promise<number>((resolve, reject) => {
      child.once('error', (cause: NodeJS.ErrnoException) =>
        reject(
          new TaskError(cause.code === 'ENOENT' ? 'no-program' : 'program-failed', `\`${shown}\` could not be started: ${cause.message}`, {
            remedy: `see whether ${argv[0]} is installed and may be executed`,
            cause,
          }),
        ),
      );
      abandon = () => {
        for (const stream of child.stdio) stream?.destroy();
        child.unref();
        resolve(128 + 9);
      };
      child.once('close', (status, by) => resolve(status ?? 128 + (signals[by ?? ''] ?? 0)));
    });
    if (ended === 'timeout')
      throw new TaskError('timeout', `\`${shown}\` was ended: it ran longer than ${Math.round(timeoutMs / 1000)} s`, {
        remedy: 'look at the load and the disk of this machine, then retry the step',
        retry: true,
        detail: tail(kept.stderr.text() || kept.stdout.text()),
      });
    if (ended === 'stopped' && options.signal?.aborted)
      throw new TaskError('stopped', `\`${shown}\` was ended: the order was stopped`, { remedy: 'retry the step', retry: true });
    return { code, stdout: kept.stdout.text(), stderr: kept.stderr.text() };
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener('abort', onAbort);
  }
}
export const tail = (text: string, n = 12): string[] => text.trimEnd().split('\n').slice(-n).filter(Boolean);

/** A machine of the lab whose clock is set off by libfaketime: programs that tell the time must be told the same. */
function libfaketime(): Record<string, string> {
  return Object.fromEntries(['LD_PRELOAD', 'FAKETIME'].flatMap((k) => (process.env.FAKETIME && process.env[k] ? [[k, process.env[k]]] : [])));
}
function killGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  try {
    if (pid) process.kill(-pid, signal);
  } catch {
    // the group is gone already
  }
}
function keep(stream: Readable, onLine: (line: string) => void): { text(): string } {
  const chunks: Buffer[] = [];
  let size = 0;
  const split = lineSplitter(onLine);
  stream.on('data', (chunk: Buffer) => {
    split.push(chunk);
    chunks.push(chunk);
    size += chunk.length;
    while (size > maxOutput && chunks.length > 1) size -= chunks.shift()?.length ?? 0;
  });
  stream.on('end', () => split.end());
  return { text: () => Buffer.concat(chunks).toString() };
}

/** Absolute path of a program on the system's PATH, or null. */
export async function which(name: string): Promise<string | null> {
  for (const dir of systemPath.split(':')) {
    const path = `${dir}/${name}`;
    if (await access(path, constants.X_OK).then(() => true, () => false)) return path; // prettier-ignore
  }
  return null;
}
