import { CallRefused } from './failures';

export interface SendLimits {
  /** Bytes that may wait in memory for one peer. */
  queueBytes: number;
  /** A peer that takes nothing for this long, while something waits, is cut (ms). */
  stallMs: number;
}
export const defaultSendLimits: SendLimits = { queueBytes: 8 << 20, stallMs: 30_000 };
const inFlightBytes = 256 << 10;
const inFlightMessages = 16;

interface Waiting<M> {
  message: M;
  bytes: number;
  done: () => void;
  failed: (error: Error) => void;
}

/** Sends messages in order over a stream whose peer may be slow, within a bound of memory and time. */
export class SendQueue<M extends object> {
  private readonly waiting: Waiting<M>[] = [];
  private readonly flying = new Set<Waiting<M>>();
  private bytes = 0;
  private flyingBytes = 0;
  private closed: Error | undefined;
  private stall: NodeJS.Timeout | undefined;

  constructor(
    private readonly write: (message: M, written: (error?: Error | null) => void) => void,
    private readonly limits: SendLimits,
    private readonly onStalled: () => void,
  ) {}

  /** Bytes that the peer has not taken yet (near enough). */
  get bufferedBytes(): number {
    return this.bytes;
  }

  /** Resolves when the network has taken the message. Rejects when the queue is full or the link closes. */
  send(message: M): Promise<void> {
    if (this.closed) return Promise.reject(this.closed);
    const bytes = sizeOf(message);
    if (this.bytes > 0 && this.bytes + bytes > this.limits.queueBytes) {
      return Promise.reject(
        new CallRefused('too-much', `the peer takes messages too slowly: ${this.bytes} bytes wait already, at most ${this.limits.queueBytes} may`),
      );
    }
    this.bytes += bytes;
    return new Promise((done, failed) => {
      this.waiting.push({ message, bytes, done, failed });
      this.pump();
    });
  }

  /** Sends what may be lost, unless a quarter of the queue is already taken: then false, and nothing is sent. */
  offer(message: M): boolean {
    if (this.closed || this.bytes > this.limits.queueBytes / 4) return false;
    this.send(message).catch(() => undefined); // lost with the link, as it may be
    return true;
  }

  /** Fails everything that still waits. */
  close(because: Error): void {
    if (this.closed) return;
    this.closed = because;
    clearTimeout(this.stall);
    for (const { failed } of [...this.flying, ...this.waiting.splice(0)]) failed(because);
    this.flying.clear();
    this.bytes = this.flyingBytes = 0;
  }

  private pump(): void {
    while (!this.closed && this.flyingBytes < inFlightBytes && this.flying.size < inFlightMessages) {
      const next = this.waiting.shift();
      if (!next) break;
      this.flying.add(next);
      this.flyingBytes += next.bytes;
      this.write(next.message, (error) => this.written(next, error));
    }
    if (this.flying.size > 0) this.stall ??= setTimeout(this.onStalled, this.limits.stallMs).unref();
  }

  private written(sent: Waiting<M>, error: Error | null | undefined): void {
    if (!this.flying.delete(sent)) return;
    this.flyingBytes -= sent.bytes;
    this.bytes -= sent.bytes;
    clearTimeout(this.stall);
    this.stall = undefined;
    if (error) sent.failed(error);
    else sent.done();
    this.pump();
  }
}

/** Near enough the bytes of a message on the wire. */
function sizeOf(value: unknown): number {
  if (Buffer.isBuffer(value)) return value.length + 8;
  if (typeof value === 'string') return value.length + 8;
  if (typeof value !== 'object' || value === null) return 8;
  return Object.values(value).reduce<number>((sum, item) => sum + sizeOf(item), 16);
}
