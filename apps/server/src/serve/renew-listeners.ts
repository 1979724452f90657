import type { Server } from 'node:https';
import { issueListeners, renewalDue, type ServerCertificate, validityOf } from '@strata/pki';
import type { AgentServer } from '@strata/wire';
import { listenerTls } from './agents';
import type { Edges } from './edges';

type Listeners = Awaited<ReturnType<typeof issueListeners>>;
const dayMs = 24 * 3600_000;

/** What listens, with the certificates that it shows. */
export interface Listening {
  edges: Edges;
  hosts: string[];
  agents: AgentServer;
  api: Server;
  artifacts: Server;
  tls: Listeners;
}

/** Looks once a day whether a third of the certificates' year is over: a server that runs for years shows no expired one. Live streams stay. */
export function keepListenersFresh(listening: Listening, stopping: AbortSignal): void {
  const look = (): void => {
    renewListeners(listening, Date.now()).catch((error: unknown) => listening.edges.log.error({ err: error }, 'the certificates of the listeners were not renewed; trying again tomorrow'));
  }; // prettier-ignore
  const timer = setInterval(look, dayMs).unref();
  stopping.addEventListener('abort', () => clearInterval(timer), { once: true });
}

/** New certificates for all four listeners when they are due. @returns whether they were. */
export async function renewListeners(l: Listening, nowMs: number): Promise<boolean> {
  if (!renewalDue(validityOf(l.tls.api.certPem), nowMs)) return false;
  const { authority } = l.edges.keys;
  l.tls = await issueListeners(authority, l.hosts);
  const context = ({ keyPem, certPem }: ServerCertificate): { key: string; cert: string } => ({ key: keyPem, cert: certPem });
  l.agents.rotate({ session: listenerTls(l.edges, l.tls.agent), enrollment: listenerTls(l.edges, l.tls.enrollment) });
  l.api.setSecureContext(context(l.tls.api));
  l.artifacts.setSecureContext({ ...context(l.tls.artifacts), ca: authority.certPem, minVersion: 'TLSv1.3' });
  l.edges.log.info('the listeners show new certificates');
  return true;
}
