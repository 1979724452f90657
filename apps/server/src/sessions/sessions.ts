import { type AgentLink, CallRefused, type FromAgentBodies, type ToAgent } from '@strata/wire';

/** The server's end of an agent's stream. */
export type Link = Pick<AgentLink, 'peer' | 'send' | 'close'>;
export interface Session {
  id: string;
  nodeId: string;
  clusterId: string;
  name: string;
  link: Link;
  hello: FromAgentBodies['hello'];
  openedAt: number;
  lastSeen: number;
  /** orderId -> attempt: what the agent holds, by its Hello and by what it accepted since. */
  holds: Map<string, number>;
  /** Log lines taken since the last credit was given. */
  linesOwed: number;
}
/** Who was heard no longer ago, or the server's start, is waited for, and so long: an agent that starts afresh is back in a second, on a busy machine in more than six. */
const justHeardMs = 20_000;
const backMs = 12_000;
type Answer = { accepted: true } | { accepted: false; code: string; message: string };

/** The sessions that are open, one a node: a newer one replaces the older. Purely in memory: a restarted server hears every agent's Hello again. */
export class Sessions {
  private readonly open = new Map<string, Session>(); // by node id
  private readonly awaited = new Map<string, { session: Session; give: (answer: Answer | null) => void }>(); // `orderId#attempt`
  private readonly listeners = new Set<(session: Session, what: 'opened' | 'closed') => void>();

  /** @param since when this server began to take agents in (ms): before that nobody could be heard */
  constructor(private readonly since = Number.NEGATIVE_INFINITY) {}

  /** Told when a session opens or closes; a replaced session does not close. */
  onChange(listener: (session: Session, what: 'opened' | 'closed') => void): void {
    this.listeners.add(listener);
  }

  /** Waits until a node has a session, or has none. @returns false when it did not come to that in time. @throws what the signal was aborted with */
  async when(nodeId: string, is: 'open' | 'gone', within: { ms: number; signal: AbortSignal }): Promise<boolean> {
    const there = (): boolean => (this.of(nodeId) !== null) === (is === 'open');
    within.signal.throwIfAborted();
    if (there()) return true;
    let over: () => void = () => undefined;
    const listener = (): void => (there() ? over() : undefined);
    const ended = new Promise<void>((resolve) => (over = resolve));
    const timer = setTimeout(over, within.ms);
    this.listeners.add(listener);
    within.signal.addEventListener('abort', over, { once: true });
    await ended;
    clearTimeout(timer);
    this.listeners.delete(listener);
    within.signal.removeEventListener('abort', over);
    within.signal.throwIfAborted();
    return there();
  }
  /**
   * The session of a node; one that was there just now is waited for (an agent starts afresh after large orders). Null when there is none, or none came.
   * @param leastMs how long one is waited for that was not there just now
   */
  async soon(
    node: { id: string; lastSeenAt: Date | string | null },
    { now, stopping }: { now: () => number; stopping: AbortSignal },
    leastMs = 0,
  ): Promise<Session | null> {
    const isJustGone = node.lastSeenAt !== null && now() - Math.max(this.since, new Date(node.lastSeenAt).getTime()) < justHeardMs;
    await this.when(node.id, 'open', { ms: isJustGone ? backMs : leastMs, signal: stopping });
    return this.of(node.id);
  }
  of(nodeId: string): Session | null {
    return this.open.get(nodeId) ?? null;
  }
  /** By the node's name: a removed node has no session, so a name is one node. */
  named(clusterId: string, name: string): Session | null {
    return this.all().find((s) => s.clusterId === clusterId && s.name === name) ?? null;
  }
  all(): Session[] {
    return [...this.open.values()];
  }

  /** Takes a session in. An older one of the same node is cut. */
  admit(session: Session): void {
    const older = this.open.get(session.nodeId);
    this.open.set(session.nodeId, session);
    if (older && older !== session) this.giveUp(older);
    if (older && older.link !== session.link) older.link.close(new CallRefused('exists', 'a newer session of this node took its place'));
    this.tell(session, 'opened');
  }

  /** The stream ended. Ignored when a newer session has taken its place. */
  closed(session: Session): void {
    this.giveUp(session);
    if (this.open.get(session.nodeId) !== session) return;
    this.open.delete(session.nodeId);
    this.tell(session, 'closed');
  }

  /** Cuts the live stream of a node whose certificate is no longer good. */
  revoke(nodeId: string, reason: string): void {
    this.open.get(nodeId)?.link.close(new CallRefused('forbidden', reason));
  }

  /**
   * Sends an order and waits until the agent took or refused it.
   * @returns null when no answer came within `deadlineMs`, or the session ended: it may or may not have it, so it is to be sent again.
   */
  async deliver(session: Session, order: { orderId: string; attempt: number; message: ToAgent }, deadlineMs: number): Promise<Answer | null> {
    const key = `${order.orderId}#${order.attempt}`;
    let timer: NodeJS.Timeout | undefined;
    const answer = new Promise<Answer | null>((resolve) => {
      this.awaited.set(key, { session, give: resolve });
      timer = setTimeout(() => resolve(null), deadlineMs);
    });
    try {
      await session.link.send(order.message);
      const said = await answer;
      if (said?.accepted) session.holds.set(order.orderId, order.attempt);
      return said;
    } finally {
      clearTimeout(timer);
      this.awaited.delete(key);
    }
  }

  /** The agent answered an order: gives the answer to whoever waits for it. */
  answered(order: { orderId: string; attempt: number }, answer: Answer): void {
    this.awaited.get(`${order.orderId}#${order.attempt}`)?.give(answer);
  }

  /** No answer comes any more through a session that is over. */
  private giveUp(session: Session): void {
    for (const waiting of this.awaited.values()) if (waiting.session === session) waiting.give(null);
  }

  private tell(session: Session, what: 'opened' | 'closed'): void {
    for (const listener of this.listeners) listener(session, what);
  }
}
