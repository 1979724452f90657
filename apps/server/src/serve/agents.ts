import type { ServerCertificate } from '@strata/pki';
import { AgentServer, type ListenerTls } from '@strata/wire';
import type { EnrollNode } from '../enrollment/enroll-node';
import type { SessionHandler } from '../sessions/session.handler';
import type { Edges } from './edges';

/** What a listener for agents shows, with the CA that it asks of them. */
export const listenerTls = (edges: Pick<Edges, 'keys'>, certificate: ServerCertificate): ListenerTls => ({
  ...certificate,
  caPem: edges.keys.authority.certPem,
});

/** Opens the two listeners for agents: sessions (client certificate required) and enrollment. */
export function listenForAgents(
  edges: Edges,
  tls: { agent: ServerCertificate; enrollment: ServerCertificate },
  cases: { enroll: EnrollNode; sessions: SessionHandler },
): Promise<AgentServer> {
  const { agents, enrollment } = edges.settings.listen;
  return AgentServer.listen({
    session: { ...agents, tls: listenerTls(edges, tls.agent) },
    enrollment: { ...enrollment, tls: listenerTls(edges, tls.enrollment) },
    handlers: {
      admit: (peer) => cases.enroll.admit(peer),
      onEnroll: (request) => cases.enroll.enroll(request),
      onRenew: (csrPem, peer) => cases.enroll.renew(csrPem, peer),
      onSession: (link) => cases.sessions.open(link),
      onError: (error) => edges.log.error({ err: error }, 'a call of an agent failed inside'),
    },
  });
}
