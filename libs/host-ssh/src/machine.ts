import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Client, ClientChannel } from 'ssh2';
import type { ProgramResult } from '@strata/tasks';
import pLimit from 'p-limit';
import { connect, type Connected, type SshTarget } from './connect';
import { afterMarker, commandLine } from './shell';
import { otherUser } from './other-user';
import { SshError } from './ssh-error';

export interface SshOptions extends SshTarget {
  bastion?: SshTarget;
  /** For `sudo`, if the user is not root and sudo asks. Goes to standard input only. */
  sudoPassword?: string;
  timeoutMs?: number; // of the hand-shake, default 10 s
  signal: AbortSignal;
}
export interface ExecOptions {
  input?: string | Buffer | Readable;
  timeoutMs?: number; // default 30 s; with `idle`, since the last byte either way
  env?: Record<string, string>;
  cwd?: string;
  signal?: AbortSignal;
  /** Standard output as it comes, whatever a login shell says included. */
  onOutput?: (piece: Buffer) => void;
}
const maxOutput = 8 << 20;

/** A machine reached over SSH, all programs run as root (by sudo where the user is not). */
export class SshMachine {
  private readonly slots = pLimit(5); // sshd's MaxSessions is 10, and it counts a session until it has seen it closed
  private root: { how: 'root' | 'free' | 'password'; password: string } = { how: 'root', password: '' };
  private constructor(
    private readonly client: Client,
    private readonly bastion: Client | null,
    private readonly made: { name: string; localAddress: string | null; hostKey: Connected['hostKey'] },
  ) {}
  /** `user@host`, for messages. */
  get name(): string {
    return this.made.name;
  }
  /** Our address on the way there; null through a bastion. */
  get localAddress(): string | null {
    return this.made.localAddress;
  }
  /** The fingerprint that was accepted, and why: `new` is to be audited. */
  get hostKey(): Connected['hostKey'] {
    return this.made.hostKey;
  }

  /** Connects, proves that a shell answers and that root is to be had. @throws SshError */
  static async open(options: SshOptions): Promise<SshMachine> {
    const timeoutMs = options.timeoutMs ?? 10_000;
    const bastion = options.bastion ? await connect(options.bastion, { timeoutMs, signal: options.signal }) : null;
    try {
      const made = await connect(options, { timeoutMs, signal: options.signal, through: bastion?.client });
      made.client
        .removeAllListeners('close')
        .removeAllListeners('error')
        .on('error', () => undefined); // a lost connection ends each channel, which says so
      const machine = new SshMachine(made.client, bastion?.client ?? null, {
        name: `${options.user}@${options.host}`,
        localAddress: made.localAddress,
        hostKey: made.hostKey,
      });
      try {
        await machine.becomeRoot(options.sudoPassword, timeoutMs);
      } catch (error) {
        machine.close();
        throw error;
      }
      return machine;
    } catch (error) {
      bastion?.client.end();
      throw error;
    }
  }

  private async becomeRoot(sudoPassword: string | undefined, timeoutMs: number): Promise<void> {
    const id = await this.run(['id', '-u'], { timeoutMs });
    if (id.stdout.trim() === '0') return;
    this.root = { how: 'free', password: '' };
    const missing = `${this.name} is not root`;
    if ((await this.run(['true'], { timeoutMs }).catch(() => ({ code: 1 }))).code === 0) return;
    if (sudoPassword === undefined)
      throw new SshError('sudo-password-needed', `${missing}, and sudo asks for a password there or is not installed`, {
        remedy: 'set ssh.sudoPasswordFrom (prompt, same, env:NAME or file:PATH), or log in as root',
      });
    this.root = { how: 'password', password: sudoPassword };
    const tried = await this.run(['true'], { timeoutMs }).catch((cause: unknown) => ({ code: 1, stderr: cause instanceof Error ? cause.message : '' }));
    if (tried.code !== 0)
      throw new SshError('sudo-refused', `${missing}, and sudo refused: ${tried.stderr.trim().split('\n').at(-1) ?? ''}`, {
        remedy: 'check the sudo password, and that this user may run all commands by sudo',
      });
  }

  /** Runs argv as root. @throws SshError if the connection is lost, the time is over, or no shell runs our line. */
  exec(argv: readonly [string, ...string[]], options: ExecOptions = {}): Promise<ProgramResult> {
    return this.slots(() => this.run(argv, options));
  }

  private run(argv: readonly string[], options: ExecOptions): Promise<ProgramResult> {
    const sudo = this.root.how === 'root' ? undefined : this.root.how;
    const line = commandLine(argv, { env: options.env, cwd: options.cwd, sudo });
    const what = `\`${argv.join(' ').slice(0, 120)}\` on ${this.name}`;
    const start = (left: number): Promise<ProgramResult> =>
      new Promise((resolve, reject) => {
        this.client.exec(line, (error, channel) => {
          if (!error) return void this.collect(channel, { what, options }).then(resolve, reject); // at once: its events do not wait
          // too many sessions for that sshd just now: the ones before are still being closed there
          if (left > 0 && /open failed/i.test(error.message)) return void setTimeout(() => void start(left - 1).then(resolve, reject), 100);
          reject(
            new SshError('connection-lost', `${what} could not be started: ${error.message}`, {
              remedy: 'try again; see MaxSessions of that sshd',
              cause: error,
            }),
          );
        });
      });
    return start(20);
  }

  private async collect(channel: ClientChannel, c: { what: string; options: ExecOptions }): Promise<ProgramResult> {
    const { options, what } = c;
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    let size = 0;
    const timeoutMs = options.timeoutMs ?? 30_000;
    return new Promise<ProgramResult>((resolve, reject) => {
      const stop = (e: SshError): void => {
        clearTimeout(timer);
        channel.destroy();
        reject(e);
      };
      const timer = setTimeout(
        () => stop(new SshError('timeout', `${what} gave no answer in ${timeoutMs} ms`, { remedy: 'look at the machine, then try again' })),
        timeoutMs,
      );
      const stopped = (): void => stop(new SshError('timeout', `${what} was stopped`, { remedy: 'try again' }));
      if (options.signal?.aborted)
        stopped(); // it was while the channel opened
      else options.signal?.addEventListener('abort', stopped, { once: true });
      const take = (into: Buffer[]) => (b: Buffer) => {
        timer.refresh();
        if ((size += b.length) <= maxOutput) into.push(b);
      };
      channel.on('data', take(out));
      // at once, not when it ends: cloud images say it and sleep
      channel.on('data', () => {
        const other = size < 65_536 ? otherUser(Buffer.concat(out).toString(), this.name) : null;
        if (other) stop(other);
      });
      if (options.onOutput) channel.on('data', options.onOutput);
      channel.stderr.on('data', take(err));
      let code: number | null = null;
      channel.on('exit', (n: number | null, signalName?: string) => (code = n ?? (signalName ? 128 : 255)));
      channel.on('close', () => {
        clearTimeout(timer);
        options.signal?.removeEventListener('abort', stopped);
        const stderr = Buffer.concat(err).toString();
        if (code === null) return reject(new SshError('connection-lost', `${what}: the connection ended before the program did`, { remedy: 'try again' }));
        const stdout = afterMarker(Buffer.concat(out).toString());
        if (stdout !== null) return resolve({ code, stdout, stderr });
        if (this.root.how !== 'root') return resolve({ code: code || 1, stdout: '', stderr }); // sudo refused
        const said = (Buffer.concat(out).toString() + stderr).trim().split('\n').at(-1) ?? '';
        reject(
          new SshError('no-shell', `${this.name} has no usable login shell: ${said || 'it said nothing'}`, {
            remedy: 'give this user a login shell (`chsh -s /bin/sh`), or name another user',
          }),
        );
      });
      void this.feed(channel, options, timer);
    });
  }

  private async feed(channel: ClientChannel, options: ExecOptions, timer: NodeJS.Timeout): Promise<void> {
    if (this.root.how === 'password') channel.write(`${this.root.password}\n`);
    const input = options.input;
    if (input === undefined || typeof input === 'string' || Buffer.isBuffer(input)) channel.end(input ?? '');
    else {
      input.on('data', () => timer.refresh());
      await pipeline(input, channel).catch(() => undefined); // the channel's own end says why
    }
  }

  close(): void {
    this.client.end();
    this.bastion?.end();
  }
}
