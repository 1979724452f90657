import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { type AgentLink, CallRefused, type FromAgent, type LinkListener } from '@strata/wire';
import { KeepLastWords } from '../doctor/last-words';
import { Dispatch } from '../orders/dispatch';
import { addressesFor } from '../serve/addresses';
import { Edges } from '../serve/edges';
import { MarkStorage } from '../storage/storage-marks';
import { AgentReports } from './agent-reports';
import { Asks } from './asks';
import type { Session } from './sessions';

const heartbeatMs = 5_000;
const reconnectCapMs = 2_000;
export const firstCredits = 256;

/** What the server does on one agent's stream, from Hello to the end. The peer's certificate is the identity; no field of a message is. */
@Injectable()
export class SessionHandler {
  constructor(
    private readonly edges: Edges,
    private readonly reports: AgentReports,
    private readonly dispatch: Dispatch,
  ) {}
  @Inject() private readonly asks!: Asks;
  @Inject() private readonly storage!: MarkStorage;
  @Inject() private readonly lastWords!: KeepLastWords;

  /** The listener of a stream that was admitted. */
  open(link: AgentLink): LinkListener {
    let session: Session | null = null;
    let over = false;
    return {
      onMessage: async (message) => {
        if (message.kind === 'hello') {
          if (session) throw new CallRefused('bad-request', 'Hello came twice');
          session = await this.greet(link, message);
          if (over) this.edges.sessions.closed(session); // it ended while it was greeted
          return;
        }
        if (!session) throw new CallRefused('bad-request', `${message.kind} came before Hello`);
        session.lastSeen = this.edges.now();
        await this.take(session, message);
      },
      onEnd: (end) => {
        over = true;
        if (!session) return;
        this.edges.log.info({ node: session.name, why: end.why }, 'a session ended');
        this.edges.sessions.closed(session);
        this.asks.ended(session);
        void this.reports.flush(session).catch((error: unknown) => this.edges.log.warn({ err: error }, 'last words of a session were not kept'));
      },
      onError: (error) => this.edges.log.error({ err: error, node: session?.name }, 'a message of an agent could not be handled'),
    };
  }

  private async greet(link: AgentLink, hello: Extract<FromAgent, { kind: 'hello' }>): Promise<Session> {
    const { store, sessions, log } = this.edges;
    const node = await store.nodes.find(link.peer.nodeId);
    if (!node) throw new CallRefused('forbidden', 'this server knows no such node');
    const now = this.edges.now();
    const holds = new Map(hello.held.map((h) => [h.orderId, h.attempt]));
    const session: Session = {
      id: randomUUID(),
      nodeId: node.id,
      clusterId: node.clusterId,
      name: node.name,
      link,
      hello,
      openedAt: now,
      lastSeen: now,
      holds,
      linesOwed: 0,
    };
    const wantsFacts = node.facts === null || node.factsDigest !== hello.factsDigest;
    await link.send({
      kind: 'welcome',
      sessionId: session.id,
      serverTimeMs: now,
      heartbeatIntervalMs: heartbeatMs,
      reconnectCapMs,
      credits: firstCredits,
      wantsFacts,
      ...addressesFor(this.edges.reach, node.id),
    });
    await store.nodes.seen([{ nodeId: node.id, at: new Date(now), skewMs: hello.agentTimeMs - now }]);
    await this.reports.held(session);
    sessions.admit(session);
    log.info({ node: node.name, agent: hello.agentVersion, held: hello.held.length }, 'a session opened');
    void this.dispatch
      .resend(session)
      .catch((error: unknown) => log.warn({ err: error, node: node.name }, 'orders that wait for this node will be sent by the queue'));
    return session;
  }

  private async take(session: Session, message: Exclude<FromAgent, { kind: 'hello' }>): Promise<void> {
    switch (message.kind) {
      case 'heartbeat':
        this.storage.heard(session, message.mount);
        this.lastWords.heard(session.nodeId, message.trouble, this.edges.now());
        return this.reports.heartbeat(session, message);
      case 'facts':
        return this.reports.facts(session, message);
      case 'factsChanged':
        this.edges.log.info({ node: session.name, what: message.what }, 'facts of a node changed');
        return session.link.send({ kind: 'factsWanted' });
      case 'accepted':
        session.holds.set(message.orderId, message.attempt);
        await this.reports.started(session, message);
        return this.edges.sessions.answered(message, { accepted: true });
      case 'refused':
        session.holds.delete(message.orderId);
        return this.edges.sessions.answered(message, { accepted: false, code: message.code, message: message.message });
      case 'progress':
        return this.reports.progress(session, message);
      case 'log':
        return this.reports.log(session, message);
      case 'settled':
        await this.reports.settled(session, message);
        session.holds.delete(message.orderId);
        return session.link.send({ kind: 'ack', orderId: message.orderId, attempt: message.attempt, journalSeq: message.journalSeq });
      case 'secretsWanted':
        return this.dispatch.answerSecrets(session, message);
      case 'answer':
        return this.asks.answered(session, message);
    }
  }
}
