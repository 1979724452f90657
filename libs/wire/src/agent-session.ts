import type { ClientDuplexStream, ServiceError } from '@grpc/grpc-js';
import { first } from './enroll';
import { BadMessage, CallRefused, failureOf, PeerUnreachable } from './failures';
import type { AgentMessage } from './gen/strata/agent/v1/AgentMessage';
import type { ServerMessage__Output } from './gen/strata/agent/v1/ServerMessage';
import type { FromAgent, ToAgent } from './messages';
import { clientOptions, Session } from './protocol';
import { defaultSendLimits, SendQueue, type SendLimits } from './send-queue';
import { TlsCredentials, type NodeTls } from './tls-credentials';
import { fromAgentToWire, toAgentOfWire } from './translate';

export interface SessionOptions {
  /** host:port, tried in order. */
  addresses: string[];
  tls: NodeTls;
  /** The next message is read only when this resolves. A rejection ends the session. */
  onMessage(message: ToAgent): Promise<void>;
  /** Once, after the session was open. A CallRefused is the server's no; a PeerUnreachable is worth another try; undefined is our own close. */
  onEnd(error: CallRefused | PeerUnreachable | Error | undefined): void;
  signal?: AbortSignal;
  /** How long one address may take until the server has admitted us (ms). */
  connectMs?: number;
  limits?: Partial<SendLimits>;
}
type Call = ClientDuplexStream<AgentMessage, ServerMessage__Output>;

/** The agent's end of its one open stream. */
export class AgentSession {
  private readonly queue: SendQueue<AgentMessage>;
  private ended = false;

  private constructor(
    readonly address: string,
    private readonly call: Call,
    private readonly options: SessionOptions & { closeChannel: () => void },
  ) {
    const limits = { ...defaultSendLimits, ...options.limits };
    const write = (message: AgentMessage, written: (error?: Error | null) => void): void => void call.write(message, written);
    this.queue = new SendQueue(write, limits, () => this.finish(new PeerUnreachable(`the control server took nothing for ${limits.stallMs / 1000} s`)));
    call.on('data', (message: ServerMessage__Output) => void this.take(message));
    call.on('end', () => this.finish(new PeerUnreachable(`the control server at ${address} closed the session`)));
    call.on('error', (error: ServiceError) => this.finish(failureOf(error, address)));
    options.signal?.addEventListener('abort', this.abort, { once: true });
  }

  /** Opens a session at the first address that answers; resolves when the server has admitted us. Throws CallRefused (revoked, unknown) or PeerUnreachable. */
  static open(options: SessionOptions): Promise<AgentSession> {
    return first(options.addresses, (address) => AgentSession.openAt(address, options));
  }

  private static openAt(address: string, options: SessionOptions): Promise<AgentSession> {
    const { signal, connectMs = 10_000 } = options;
    const tls = TlsCredentials.ofNode(options.tls);
    const client = new Session(address, tls, clientOptions);
    const call = client.Connect();
    return new Promise((done, failed) => {
      const give = (error: Error): void => {
        call.on('error', () => undefined);
        settle();
        call.cancel();
        client.close();
        failed(error);
      };
      const admitted = (): void => {
        settle();
        done(new AgentSession(address, call, { ...options, closeChannel: () => client.close() }));
      };
      const refused = (error: ServiceError): void => give(failureOf(error, address, tls.failure));
      const aborted = (): void => give(new PeerUnreachable(`opening a session at ${address} was given up`, { cause: signal?.reason }));
      const timer = setTimeout(() => give(new PeerUnreachable(`the control server at ${address} did not admit us within ${connectMs / 1000} s`)), connectMs);
      const settle = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', aborted);
        call.off('metadata', admitted).off('error', refused);
      };
      call.once('metadata', admitted).once('error', refused);
      if (signal?.aborted) aborted();
      else signal?.addEventListener('abort', aborted, { once: true });
    });
  }

  /** Bytes that the server has not taken yet. */
  get bufferedBytes(): number {
    return this.queue.bufferedBytes;
  }

  /** Resolves when the network has taken the message; only an Ack says that the server has it. Rejects when too much waits already, or the session ends first. */
  send(message: FromAgent): Promise<void> {
    return this.queue.send(fromAgentToWire(message));
  }

  /** Sends what may be lost (logs, progress); false when the line is too busy for it. Never delays an outcome much. */
  offer(message: Extract<FromAgent, { kind: 'log' | 'progress' | 'heartbeat' }>): boolean {
    return this.queue.offer(fromAgentToWire(message));
  }

  /** Ends the session in peace. */
  close(): void {
    this.finish(undefined);
  }

  private readonly abort = (): void => this.finish(undefined);

  private async take(wire: ServerMessage__Output): Promise<void> {
    this.call.pause();
    try {
      const message = toAgentOfWire(wire);
      if (message && !this.ended) await this.options.onMessage(message);
    } catch (error) {
      this.finish(
        error instanceof BadMessage
          ? new PeerUnreachable(`the control server at ${this.address} spoke out of turn: ${error.message}`, { cause: error })
          : (error as Error),
      );
    }
    this.call.resume();
  }

  private finish(error: Error | undefined): void {
    if (this.ended) return;
    this.ended = true;
    this.options.signal?.removeEventListener('abort', this.abort);
    this.queue.close(error ?? new PeerUnreachable('the session was closed'));
    if (error === undefined) this.call.end();
    const timer = setTimeout(() => this.call.cancel(), error === undefined ? 1_000 : 0);
    this.call.once('status', () => clearTimeout(timer));
    this.options.closeChannel();
    this.options.onEnd(error);
  }
}
