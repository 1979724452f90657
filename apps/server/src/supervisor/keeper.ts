import { spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { deferred } from './deferred';
import type { Logs } from './logs';
import { gone, lives, processOf, signal, type ProcessId } from './processes';
import type { LastExit, PartName, StatusFile } from './status';

/** A program to run, without a shell. */
export interface Command {
  program: string;
  args: string[];
  cwd: string;
  env: NodeJS.ProcessEnv;
  uid?: number;
  gid?: number;
}
/** One process that is kept running. */
export interface Part {
  name: PartName;
  /** The process that does this work already, whoever started it. */
  find(): ProcessId | undefined;
  /** Everything before its start. What it throws ahead of the first start ends the supervisor; later it is tried again. */
  prepare(stopping: AbortSignal): Promise<Command>;
  /** Whether it does its work now. Never throws, has a deadline of its own. */
  answers(): Promise<boolean>;
  /** Each time that it begins to answer. */
  answered?(): Promise<void>;
  stop: { signal: NodeJS.Signals; deadlineMs: number; thenSignal: NodeJS.Signals };
}
interface Life {
  id: ProcessId | undefined;
  adopted: boolean;
  ended: Promise<Pick<LastExit, 'code' | 'signal'>>;
}

const calmMs = 10_000; // who lived this long did not crash at once
const pollMs = 50;
const backOff = (quickEnds: number): number => (quickEnds <= 1 ? 0 : Math.min(50 * 2 ** (quickEnds - 1), 10_000));

/** Keeps one part running: takes over a live one, else starts it, and starts it again when it ends. */
export class Keeper {
  private readonly stopping = new AbortController();
  private life: Life | undefined;
  private answering = deferred<void>();
  private keeping: Promise<void> | undefined;

  constructor(
    private readonly part: Part,
    private readonly around: { status: StatusFile; logs: Logs },
  ) {
    this.answering.promise.catch(() => undefined);
  }

  /** Starts keeping. The promise settles when `stop` was called, and rejects when the part cannot even be prepared. */
  keep(): Promise<void> {
    this.keeping ??= this.loop().catch((error: unknown) => {
      if (!this.stopping.signal.aborted) throw error;
    });
    return this.keeping;
  }

  /** Resolves as soon as the part does its work; rejects when it is stopped. */
  untilAnswering(): Promise<void> {
    return this.answering.promise;
  }

  /** Ends the part and waits until it is gone. */
  async stop(): Promise<void> {
    const { name, stop } = this.part;
    this.stopping.abort(new Error(`${name} is being stopped`));
    this.answering.reject(this.stopping.signal.reason);
    const id = this.life?.id ?? this.part.find();
    if (id && lives(id)) {
      this.around.status.set(name, { state: 'stopping' });
      signal(id, stop.signal);
      if (!(await gone(id, stop.deadlineMs))) {
        this.say(`does not end within ${stop.deadlineMs / 1000} s after ${stop.signal}: ${stop.thenSignal}`);
        signal(id, stop.thenSignal);
        if (!(await gone(id, 10_000))) signal(id, 'SIGKILL');
        await gone(id, 10_000);
      }
    }
    await this.keeping?.catch(() => undefined);
    this.around.status.set(name, { state: 'stopped', pid: null });
    this.say('stopped');
  }

  private async loop(): Promise<void> {
    const { part, stopping, around } = this;
    for (let quickEnds = 0, started = false; !stopping.signal.aborted;) {
      const [began, logFrom] = [performance.now(), around.logs.size(part.name)];
      let exit: Pick<LastExit, 'code' | 'signal'> & { error?: unknown };
      try {
        this.life = this.adopt() ?? (await this.start());
        started = true;
        void this.watchForAnswer(this.life);
        exit = await this.life.ended;
      } catch (error) {
        if (!started) throw error;
        exit = { code: null, signal: null, error };
      }
      this.life = undefined;
      if (stopping.signal.aborted) return;
      quickEnds = performance.now() - began > calmMs ? 1 : quickEnds + 1;
      await this.pause({ exit, logFrom, delay: backOff(quickEnds) });
    }
  }

  /** Says why it ended, and waits before the next start. */
  private async pause({
    exit,
    logFrom,
    delay,
  }: {
    exit: Pick<LastExit, 'code' | 'signal'> & { error?: unknown };
    logFrom: number;
    delay: number;
  }): Promise<void> {
    const { part, around } = this;
    const how = exit.signal ? `killed by ${exit.signal}` : exit.code === null ? 'ended' : `ended with exit status ${exit.code}`;
    const fromOutside = exit.signal === 'SIGKILL' || exit.signal === 'SIGTERM'; // its log tells nothing about that
    const because = exit.error ? inWords(exit.error) : [how, fromOutside ? '' : around.logs.tail(part.name, logFrom)].filter(Boolean).join(': ');
    this.answering = deferred<void>();
    this.answering.promise.catch(() => undefined);
    around.status.set(part.name, {
      state: 'failed',
      pid: null,
      restarts: around.status.part(part.name).restarts + 1,
      lastExit: { at: new Date().toISOString(), code: exit.code, signal: exit.signal, because },
      nextTry: new Date(Date.now() + delay).toISOString(),
    });
    this.say(`${because}; started again ${delay === 0 ? 'now' : `in ${delay} ms`}`);
    await sleep(delay, undefined, { signal: this.stopping.signal }).catch(() => undefined);
  }

  private adopt(): Life | undefined {
    const id = this.part.find();
    if (!id) return undefined;
    this.say(`runs already as process ${id.pid}: taken over`);
    this.around.status.set(this.part.name, { state: 'starting', pid: id.pid, adopted: true });
    return { id, adopted: true, ended: gone(id, Infinity).then(() => ({ code: null, signal: null })) };
  }

  private async start(): Promise<Life> {
    const { part, around, stopping } = this;
    around.status.set(part.name, { state: 'preparing', pid: null });
    const { program, args, ...options } = await part.prepare(stopping.signal);
    stopping.signal.throwIfAborted();
    const log = around.logs.open(part.name);
    const child = spawn(program, args, { ...options, stdio: ['ignore', log, log], detached: true }); // of its own session: it outlives the supervisor
    closeSync(log);
    const ended = new Promise<Pick<LastExit, 'code' | 'signal'>>((resolve, reject) => {
      child.once('error', (cause) => reject(new Error(`${program} could not be started`, { cause })));
      child.once('exit', (code, by) => resolve({ code, signal: by }));
    });
    const id = child.pid === undefined ? undefined : processOf(child.pid);
    if (id) around.status.set(part.name, { state: 'starting', pid: id.pid, adopted: false });
    this.say(`started as process ${child.pid ?? '?'}`);
    return { id, adopted: false, ended };
  }

  private async watchForAnswer(life: Life): Promise<void> {
    const { part, around } = this;
    for (; this.life === life && !this.stopping.signal.aborted; await sleep(pollMs)) {
      if (!(await part.answers()) || this.life !== life) continue;
      try {
        await part.answered?.();
      } catch (error) {
        this.say(inWords(error));
        continue;
      }
      if (this.life !== life || this.stopping.signal.aborted) return;
      around.status.set(part.name, { state: 'running' });
      this.say('answers');
      this.answering.resolve();
      return;
    }
  }

  private say(text: string): void {
    this.around.logs.say(`${this.part.name}: ${text}`);
  }
}

/** An error with its causes, in one line. */
export function inWords(error: unknown): string {
  if (!(error instanceof Error)) return typeof error === 'string' ? error : JSON.stringify(error);
  return error.cause === undefined ? error.message : `${error.message}: ${inWords(error.cause)}`;
}
