import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { unsetProxies } from '@strata/model';
import type { ProgramResult, RunOptions } from '@strata/tasks';
import { TaskError } from '@strata/tasks';
import { replaceFile } from './files';
import type { LocalHostOptions } from './options';
import { type Argv, lineSplitter, runProgram, systemPath, tail } from './programs';

interface State {
  there: boolean;
  over: boolean;
  code: number;
  result: string;
  pid: number;
}

export interface DurableOptions extends RunOptions {
  durable: string;
  /** Whether the program is told the proxy that this machine's owner has set for all units. kubeadm would write it into the cluster. */
  withMachineProxy?: boolean;
}

/**
 * Runs a program as a transient systemd unit named after order, attempt and name, so that it outlives this process.
 * A second call with the same name re-attaches while it runs, and reads its kept result when it is over; it is never started twice.
 * After a reboot of the machine an unfinished one is started anew.
 */
export async function runDurable(argv: Argv, options: DurableOptions, host: LocalHostOptions): Promise<ProgramResult> {
  const order = host.order;
  if (!order) return runProgram(argv, options);
  const id = createHash('sha256').update(`${order.orderId}.${order.attempt}.${options.durable}`).digest('hex').slice(0, 20);
  const unit = `strata-${id}.service`;
  const dir = join(host.stateDir, 'programs');
  const file = (kind: string): string => join(dir, `${id}.${kind}`);
  const shown = argv.join(' ').slice(0, 200);
  await mkdir(dir, { recursive: true, mode: 0o700 });

  const kept = await readResult(file('result'));
  if (kept) return replay(kept, options);
  let state = await show(unit);
  if (!state.there) {
    await start(argv, { unit, file, options });
    state = await show(unit);
  }
  const followers = (['stdout', 'stderr'] as const).map((stream) => follow(file(stream), (line) => options.onLine?.(line, stream)));
  const deadline = Date.now() + (options.timeoutMs ?? 60_000) + 5000; // the unit has the real deadline; this one is for a systemd that does not answer
  for (let wait = 50; !state.over; wait = Math.min(wait * 1.3, 500)) {
    if (options.signal?.aborted || Date.now() > deadline) {
      await end(unit, file);
      const why = options.signal?.aborted ? 'the order was stopped' : `it ran longer than ${Math.round((options.timeoutMs ?? 60_000) / 1000)} s`;
      throw new TaskError(options.signal?.aborted ? 'stopped' : 'timeout', `\`${shown}\` was ended: ${why}`, { remedy: 'retry the step', retry: true });
    }
    await sleep(wait);
    for (const f of followers) await f.more();
    if (state.pid === 0 || !existsSync(`/proc/${state.pid}`) || wait >= 500) state = await show(unit);
    if (!state.there) {
      const elsewhere = await readResult(file('result')); // another life of the order was the first to see the end
      if (elsewhere) return elsewhere;
      throw new TaskError('program-lost', `\`${shown}\` vanished: its unit ${unit} is gone`, { remedy: 'somebody removed it; retry the step', retry: true });
    }
  }
  for (const f of followers) await f.end();
  const result: ProgramResult = { code: state.code, stdout: await textOf(file('stdout')), stderr: await textOf(file('stderr')) };
  if (state.result === 'timeout') {
    await end(unit, file);
    throw new TaskError('timeout', `\`${shown}\` was ended: it ran longer than ${Math.round((options.timeoutMs ?? 60_000) / 1000)} s`, {
      remedy: 'look at the load and the disk of this machine, then retry the step',
      retry: true,
      detail: tail(result.stderr || result.stdout),
    });
  }
  await replaceFile(file('result'), async (temporary) => writeWhole(temporary, JSON.stringify(result)), { mode: 0o600 });
  await end(unit, file);
  return result;
}

async function start(argv: Argv, s: { unit: string; file: (kind: string) => string; options: DurableOptions }): Promise<void> {
  const { unit, file, options } = s;
  for (const kind of ['stdout', 'stderr', 'in']) {
    await rm(file(kind), { force: true });
    await writeWhole(file(kind), kind === 'in' ? (options.input ?? '') : '');
  }
  const env = Object.entries({ PATH: systemPath, LANG: 'C.UTF-8', HOME: '/root', ...options.env }).map(([k, v]) => `--setenv=${k}=${v}`);
  const properties = [
    'Type=exec',
    'RemainAfterExit=yes',
    `RuntimeMaxSec=${Math.max(1, Math.round((options.timeoutMs ?? 60_000) / 1000))}`,
    'TimeoutStopSec=10',
    `StandardInput=file:${file('in')}`,
    `StandardOutput=append:${file('stdout')}`,
    `StandardError=append:${file('stderr')}`,
    `WorkingDirectory=${options.cwd ?? '/'}`,
    ...(options.withMachineProxy ? [] : [unsetProxies]),
  ].flatMap((p) => ['--property', p]);
  const escaped = argv.map((a) => a.replaceAll('$', '$$$$')); // systemd expands $NAME in a command line; $$ is a dollar
  const run = await runProgram(['systemd-run', '--quiet', `--unit=${unit}`, ...env, ...properties, '--', ...escaped], { timeoutMs: 30_000 });
  if (run.code === 0) return;
  await end(unit, file);
  throw new TaskError('no-program', `\`${argv.join(' ').slice(0, 200)}\` could not be started as a unit: ${tail(run.stderr, 3).join(' ')}`, {
    remedy: `see whether ${argv[0]} is installed, and what \`systemctl status\` says`,
    retry: true,
  });
}
async function show(unit: string): Promise<State> {
  const r = await runProgram(
    ['systemctl', 'show', '-p', 'LoadState,ActiveState,SubState,Result,ExecMainStatus,ExecMainCode,ExecMainPID,ExecMainExitTimestampMonotonic', '--', unit],
    { timeoutMs: 30_000 },
  );
  const value = (key: string): string => new RegExp(`^${key}=(.*)$`, 'm').exec(r.stdout)?.[1] ?? '';
  const [status, how] = [Number(value('ExecMainStatus')), value('ExecMainCode')];
  const active = value('ActiveState');
  const over = active === 'failed' || (active === 'active' && value('SubState') === 'exited') || (active === 'inactive' && how !== '0');
  return {
    there: value('LoadState') === 'loaded',
    over,
    code: how === '1' ? status : 128 + status,
    result: value('Result'),
    pid: Number(value('ExecMainPID')),
  };
}
/** Stops the unit if it still runs, forgets it, and drops its files; a result that was read stays. */
async function end(unit: string, file: (kind: string) => string): Promise<void> {
  await runProgram(['systemctl', 'stop', '--', unit], { timeoutMs: 30_000 });
  await runProgram(['systemctl', 'reset-failed', '--', unit], { timeoutMs: 30_000 });
  for (const kind of ['stdout', 'stderr', 'in']) await rm(file(kind), { force: true });
}
async function writeWhole(path: string, content: string): Promise<void> {
  const handle = await open(path, 'wx', 0o600);
  await handle.writeFile(content).finally(() => handle.close());
}
const textOf = async (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '');
async function readResult(path: string): Promise<ProgramResult | null> {
  const text = await textOf(path);
  return text === '' ? null : (JSON.parse(text) as ProgramResult);
}
function replay(result: ProgramResult, options: RunOptions): ProgramResult {
  for (const stream of ['stdout', 'stderr'] as const) for (const line of result[stream].split('\n').filter(Boolean)) options.onLine?.(line, stream);
  return result;
}
/** Gives the lines of a growing file. */
function follow(path: string, onLine: (line: string) => void): { more(): Promise<void>; end(): Promise<void> } {
  let at = 0;
  const split = lineSplitter(onLine);
  const more = async (): Promise<void> => {
    const handle = await open(path, 'r').catch(() => null);
    if (!handle) return;
    try {
      for (;;) {
        const { bytesRead, buffer } = await handle.read(Buffer.alloc(65_536), 0, 65_536, at);
        if (bytesRead === 0) return;
        at += bytesRead;
        split.push(buffer.subarray(0, bytesRead));
      }
    } finally {
      await handle.close();
    }
  };
  return { more, end: async () => more().then(() => split.end()) };
}

/** Drops results that nobody will ask for again: older than `days`. */
export async function pruneResults(stateDir: string, days: number): Promise<void> {
  const { readdir, stat } = await import('node:fs/promises');
  const dir = join(stateDir, 'programs');
  for (const name of await readdir(dir).catch(() => [])) {
    const s = await stat(join(dir, name)).catch(() => null);
    if (name.endsWith('.result') && s && Date.now() - s.mtimeMs > days * 86_400_000) await rm(join(dir, name), { force: true });
  }
}
