import { Metadata, Server, type sendUnaryData, type ServerCredentials, type ServerUnaryCall } from '@grpc/grpc-js';
import { AgentLink, type AgentCall, type LinkListener } from './agent-link';
import { PeerUnreachable, statusOf, CallRefused } from './failures';
import type { EnrollmentHandlers } from './gen/strata/agent/v1/Enrollment';
import type { RenewalHandlers } from './gen/strata/agent/v1/Renewal';
import type { SessionHandlers } from './gen/strata/agent/v1/Session';
import type { EnrollRequest, Identity } from './messages';
import { peerOf, type Peer } from './peer';
import { Enrollment, Renewal, serverOptions, Session } from './protocol';
import { defaultSendLimits, type SendLimits } from './send-queue';
import { SwappableTls, type ListenerTls } from './server-tls';
import { enrollRequestOfWire, identityToWire } from './translate';

/** What the application does for agents. To say no, throw a CallRefused: its reason and words reach the agent. Any other error reaches `onError`, and the agent hears only that the server failed. */
export interface AgentServerHandlers {
  /** Judges a node's certificate (revoked? removed?) at every stream open and renewal. */
  admit(peer: Peer): Promise<void>;
  onEnroll(request: EnrollRequest, from: { address: string }): Promise<Identity>;
  onRenew(csrPem: string, peer: Peer): Promise<Identity>;
  /** A stream was admitted. The answer is in place before its first message is read. */
  onSession(link: AgentLink): LinkListener;
  onError?(error: unknown): void;
}
/** `port` 0 takes any free one. */
export interface ListenAt {
  host: string;
  port: number;
  tls: ListenerTls;
}
export interface AgentServerOptions {
  session: ListenAt;
  enrollment: ListenAt;
  handlers: AgentServerHandlers;
  limits?: Partial<SendLimits>;
  /** How long a handler of a unary call, or `admit`, may take (ms). */
  answerMs?: number;
}

/** The two listeners for agents: sessions and renewal (a client certificate is required in the handshake), and enrollment (none is asked for). */
export class AgentServer {
  private readonly session: { grpc: Server; tls: SwappableTls };
  private readonly enrollment: { grpc: Server; tls: SwappableTls };
  private readonly links = new Set<AgentLink>();
  private readonly limits: SendLimits;
  private readonly answerMs: number;
  private ports = { session: 0, enrollment: 0 };
  private closing = false;

  private constructor(private readonly options: AgentServerOptions) {
    this.limits = { ...defaultSendLimits, ...options.limits };
    this.answerMs = options.answerMs ?? 15_000;
    this.session = { grpc: new Server(serverOptions), tls: new SwappableTls(options.session.tls) };
    this.enrollment = { grpc: new Server({ ...serverOptions, 'grpc.max_receive_message_length': 64 << 10 }), tls: new SwappableTls(options.enrollment.tls) };
    const sessions: SessionHandlers = { Connect: (call) => void this.connect(call) };
    const renewals: RenewalHandlers = { Renew: (call, answer) => void this.answer(call, answer, () => this.renew(call)) };
    const enrollments: EnrollmentHandlers = {
      Enroll: (call, answer) => void this.answer(call, answer, () => options.handlers.onEnroll(enrollRequestOfWire(call.request), { address: call.getPeer() })),
    };
    this.session.grpc.addService(Session.service, sessions);
    this.session.grpc.addService(Renewal.service, renewals);
    this.enrollment.grpc.addService(Enrollment.service, enrollments);
  }

  /** Opens both listeners. Throws, naming the address, when one cannot be opened. */
  static async listen(options: AgentServerOptions): Promise<AgentServer> {
    const server = new AgentServer(options);
    try {
      server.ports = {
        session: await bind(server.session.grpc, options.session, server.session.tls.requiringClientCertificate()),
        enrollment: await bind(server.enrollment.grpc, options.enrollment, server.enrollment.tls.withoutClientCertificate()),
      };
    } catch (error) {
      await server.close(0);
      throw error;
    }
    return server;
  }

  get sessionPort(): number {
    return this.ports.session;
  }
  get enrollmentPort(): number {
    return this.ports.enrollment;
  }
  /** The open sessions. */
  get open(): readonly AgentLink[] {
    return [...this.links];
  }

  /** New certificates for new connections; live streams stay. */
  rotate(tls: { session?: ListenerTls; enrollment?: ListenerTls }): void {
    if (tls.session) this.session.tls.swap(tls.session);
    if (tls.enrollment) this.enrollment.tls.swap(tls.enrollment);
  }

  /** Cuts the open sessions of certificates that are no longer good. */
  cut(which: (peer: Peer) => boolean, refusal: CallRefused): void {
    for (const link of this.open) if (which(link.peer)) link.close(refusal);
  }

  /** Ends all sessions and closes both listeners; what has not ended after `graceMs` is cut. */
  async close(graceMs = 3_000): Promise<void> {
    this.closing = true;
    for (const link of this.open) link.close();
    await Promise.all([shutDown(this.session.grpc, graceMs), shutDown(this.enrollment.grpc, graceMs)]);
  }

  private async connect(call: AgentCall): Promise<void> {
    call.on('error', () => undefined);
    let link: AgentLink | undefined;
    try {
      const peer = peerOf(call);
      await this.admit(peer);
      if (call.cancelled) return;
      call.sendMetadata(new Metadata()); // tells the agent that it is admitted
      link = new AgentLink(call, peer, this.limits);
      this.start(link);
    } catch (error) {
      this.report(error);
      if (link) link.close();
      else call.emit('error', statusOf(error));
    }
  }

  private start(link: AgentLink): void {
    const listener = this.options.handlers.onSession(link);
    this.links.add(link);
    link.start({
      onMessage: (message) => listener.onMessage(message),
      onEnd: (end) => {
        this.links.delete(link);
        listener.onEnd(end);
      },
      onError: (error) => (listener.onError ? listener.onError(error) : this.options.handlers.onError?.(error)),
    });
  }

  private async renew(call: Parameters<RenewalHandlers['Renew']>[0]): Promise<Identity> {
    const peer = peerOf(call);
    await this.admit(peer);
    return this.options.handlers.onRenew(call.request.csrPem, peer);
  }

  private async admit(peer: Peer): Promise<void> {
    if (this.closing) throw new PeerUnreachable('the server is going down');
    await within(this.options.handlers.admit(peer), this.answerMs);
  }

  private async answer<Q, A>(_call: ServerUnaryCall<Q, A>, answer: sendUnaryData<A>, work: () => Promise<Identity>): Promise<void> {
    try {
      answer(null, identityToWire(await within(work(), this.answerMs)) as A);
    } catch (error) {
      this.report(error);
      answer(statusOf(error));
    }
  }

  private report(error: unknown): void {
    if (!(error instanceof CallRefused || error instanceof PeerUnreachable)) this.options.handlers.onError?.(error);
  }
}

function bind(server: Server, at: ListenAt, credentials: ServerCredentials): Promise<number> {
  const address = `${at.host.includes(':') ? `[${at.host}]` : at.host}:${at.port}`;
  return new Promise((done, failed) => {
    server.bindAsync(address, credentials, (cause, port) => {
      if (cause)
        failed(new Error(`could not listen on ${address}: ${cause.message}; see what else uses the port, or choose another in the settings`, { cause }));
      else done(port);
    });
  });
}

async function shutDown(server: Server, graceMs: number): Promise<void> {
  await new Promise<void>((done) => {
    const timer = setTimeout(() => {
      server.forceShutdown();
      done();
    }, graceMs);
    server.tryShutdown(() => {
      clearTimeout(timer);
      done();
    });
  });
}

/** The work's own result, or "try again later" after `ms`. */
function within<T>(work: Promise<T>, ms: number): Promise<T> {
  return new Promise((done, failed) => {
    const timer = setTimeout(() => failed(new PeerUnreachable(`the server took longer than ${ms / 1000} s to answer; try again`)), ms).unref();
    work.then(done, failed).finally(() => clearTimeout(timer));
  });
}
