import { AgentServer, type AgentServerHandlers } from '../agent-server';
import type { AgentLink, LinkEnd } from '../agent-link';
import { CallRefused } from '../failures';
import type { FromAgent, Identity, ToAgent } from '../messages';
import type { SendLimits } from '../send-queue';
import type { TestAuthority } from './authority';

/** Waits until `look` answers something, at most 5 s; for things that another side does in its own time. */
export async function until<T>(look: () => T | undefined | false | null): Promise<T> {
  for (const end = Date.now() + 5_000; ;) {
    const seen = look();
    if (seen !== undefined && seen !== false && seen !== null) return seen;
    if (Date.now() > end) throw new Error(`waited 5 s in vain for ${look.toString()}`);
    await new Promise((later) => setTimeout(later, 5));
  }
}

export const identityFor = (authority: TestAuthority, certificatePem: string): Identity => ({
  certificatePem,
  caPem: authority.caPem,
  orderKeys: [{ keyId: 'k1', publicKey: Buffer.alloc(32, 1) }],
  boxKey: Buffer.alloc(32, 2),
  sessionAddresses: ['10.0.0.1:7444'],
  artifactAddresses: ['10.0.0.1:7445'],
  nodeId: 'n1',
  nodeName: 'n1',
  clusterId: 'c1',
  skewMs: -7_200_000,
});

/** A server that keeps what it hears, and welcomes each agent. */
export class ListeningServer {
  readonly links: AgentLink[] = [];
  readonly heard: FromAgent[] = [];
  readonly ends: LinkEnd[] = [];
  readonly errors: unknown[] = [];
  readonly enrolled: string[] = [];
  readonly revoked = new Set<string>();
  /** Set: messages are held until it resolves. */
  gate: Promise<void> | undefined;
  server!: AgentServer;

  static async listen(
    authority: TestAuthority,
    with_: { limits?: Partial<SendLimits>; enrollFromDays?: number; handlers?: Partial<AgentServerHandlers> } = {},
  ): Promise<ListeningServer> {
    const self = new ListeningServer();
    const handlers: AgentServerHandlers = {
      admit: (peer) => (self.revoked.has(peer.nodeId) ? Promise.reject(new CallRefused('forbidden', `node ${peer.nodeId} was removed`)) : Promise.resolve()),
      onEnroll: async (request) => {
        self.enrolled.push(request.token);
        if (request.token !== 'good') throw new CallRefused('unauthenticated', 'the token was used already; ask for a fresh join command');
        return identityFor(authority, (await authority.node('n1')).certPem);
      },
      onRenew: async (_csr, peer) => identityFor(authority, (await authority.node(peer.nodeId)).certPem),
      onSession: (link) => {
        self.links.push(link);
        return {
          onMessage: async (message) => {
            await self.gate;
            self.heard.push(message);
            if (message.kind === 'hello')
              await link.send({
                kind: 'welcome',
                sessionId: 's1',
                serverTimeMs: 1_700_000_000_000,
                heartbeatIntervalMs: 5_000,
                reconnectCapMs: 2_000,
                credits: 64,
                wantsFacts: true,
                sessionAddresses: ['10.0.0.1:7444'],
                artifactAddresses: ['10.0.0.1:7445'],
              });
          },
          onEnd: (end) => self.ends.push(end),
        };
      },
      onError: (error) => self.errors.push(error),
      ...with_.handlers,
    };
    const at = { host: '127.0.0.1', port: 0 };
    self.server = await AgentServer.listen({
      session: { ...at, tls: await authority.listener() },
      enrollment: { ...at, tls: await authority.listener(with_.enrollFromDays) },
      handlers,
      limits: with_.limits,
    });
    return self;
  }

  get sessionAddress(): string {
    return `127.0.0.1:${this.server.sessionPort}`;
  }
  get enrollmentAddress(): string {
    return `127.0.0.1:${this.server.enrollmentPort}`;
  }
}

/** What an agent heard, and how its session ended. */
export class Ear {
  readonly heard: ToAgent[] = [];
  end: { error: unknown } | undefined;
  readonly onMessage = (message: ToAgent): Promise<void> => {
    this.heard.push(message);
    return Promise.resolve();
  };
  readonly onEnd = (error: unknown): void => {
    this.end = { error };
  };
}
