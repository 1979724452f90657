import type { NewEvent, Plan, RunEvent } from '@strata/model';
import { AdvanceRun } from '../advance-run';
import type { OrderName } from '../moves';
import { isInFlight } from '../fold';
import { graphOf } from '../graph';
import type { Ledger, SessionState, Situation } from '../ports';
import { resolveInput } from '../resolve-input';
import type { RunView, StepView } from '../view';
import type { MemoryLedger, OutboxEntry } from './memory-ledger';
import type { Execute, FromAgent, SimAgent, SimEnded, SimOrder, Uplink } from './sim-agent';
import { forever, type VirtualTime } from './virtual-time';

export interface ServerParts {
  time: VirtualTime;
  ledger: MemoryLedger;
  agents: ReadonlyMap<string, SimAgent>;
  execute: Execute;
  /** How often each order is delivered. */
  deliveries: () => number;
  /** Asked after each event of the ledger: whether the server dies there. */
  dies: (event: RunEvent) => boolean;
  restartMs: number;
  situation: { nodeWaitMs: number; onFailure: () => Situation['onFailure']; pools: Readonly<Record<string, number>> };
}
type Current = { view: RunView; step: StepView };
interface Session {
  agent: SimAgent;
  openedAt: number;
  holds: Map<string, number>;
}

/** A control server around the engine: everything in it is lost when it dies; only the ledger and its outbox, and the kept `before`s, stay. */
export class SimServer implements Uplink {
  private life = 0;
  private up = false;
  private engine!: AdvanceRun;
  private listeningSince = 0;
  private readonly sessions = new Map<string, Session>();
  private readonly lastSeen = new Map<string, number>();
  private readonly here = new Map<string, AbortController>(); // server orders that run in this life
  private readonly befores = new Map<string, unknown>(); // durable

  constructor(private readonly parts: ServerParts) {}

  start(): void {
    const { ledger, time } = this.parts;
    this.up = true;
    this.listeningSince = time.now();
    this.engine = new AdvanceRun({
      ledger: this.guarded(),
      situation: async (_, plan) => this.situation(plan),
      onCancelOrder: (runId, order) => this.cancelOrder(runId, order),
    });
    for (const order of [...ledger.outbox]) this.relay(order);
    void this.pokeAll();
  }
  crash(): void {
    if (!this.up) return;
    this.up = false;
    this.life += 1;
    this.here.clear();
    for (const { agent } of this.sessions.values()) this.parts.time.after(1, () => agent.cut());
    this.sessions.clear();
    this.parts.time.after(this.parts.restartMs, () => this.start());
  }
  /** Something an operator does, validated against the view. Lost when the server is down or dies meanwhile, as a request is. */
  async change(runId: string, make: (view: RunView) => NewEvent[]): Promise<void> {
    if (!this.up) return;
    await this.record(runId, make);
    this.poke(runId);
  }
  /** The session of a node is open. */
  isConnected(node: string): boolean {
    return this.sessions.has(node);
  }

  hello(agent: SimAgent): boolean {
    if (!this.up) return false;
    const holds = new Map([...agent.journal].map(([orderId, held]) => [orderId, held.attempt]));
    this.sessions.set(agent.node, { agent, openedAt: this.parts.time.now(), holds });
    this.lastSeen.set(agent.node, this.parts.time.now());
    for (const held of agent.journal.values()) if (held.state !== 'settled') void this.receive(agent, { kind: 'accepted', order: held.order });
    for (const order of [...this.parts.ledger.outbox]) if (order.node === agent.node) this.relay(order);
    void this.pokeAll();
    return true;
  }
  /** Streams that ended are noticed here, as keepalive would. */
  private sweep(): void {
    for (const [node, session] of this.sessions) if (!session.agent.linked && session.openedAt < this.parts.time.now()) this.sessions.delete(node);
  }
  async receive(agent: SimAgent, message: FromAgent): Promise<void> {
    if (!this.up) return;
    const { order } = message;
    const { runId, orderId, attempt, epoch, step, action } = order;
    this.lastSeen.set(agent.node, this.parts.time.now());
    const about = { step, node: agent.node };
    const body = { attempt, epoch, action };
    switch (message.kind) {
      case 'accepted':
        this.sessions.get(agent.node)?.holds.set(orderId, attempt);
        return this.record(runId, (view) => (currentOf(view, order) ? [{ kind: 'OrderStarted', ...about, body }] : []));
      case 'progress':
        return this.record(runId, (view) =>
          currentOf(view, order)
            ? [{ kind: 'OrderProgressed', ...about, body: { ...body, fraction: message.fraction ?? null, note: message.note ?? '' } }]
            : [],
        );
      case 'refused': {
        if (message.code === 'busy') return this.parts.time.after(500, () => this.relay({ ...order, target: 'node', node: agent.node }));
        const failure = { code: message.code, message: message.message, remedy: 'look at the agent', cause: [], retry: false };
        return this.settle(order, { outcome: 'refused', result: { findings: [], failure } });
      }
      case 'settled':
        await this.settle(order, message.ended);
        agent.acked(orderId, attempt);
    }
  }

  /** Only what the ledger says counts; a settle that is not the current attempt's is kept as evidence. */
  private async settle(order: SimOrder, ended: SimEnded): Promise<void> {
    const { attempt, epoch, action, step, node, runId } = order;
    await this.record(runId, (view) => [
      { kind: 'OrderSettled', step, node, body: { attempt, epoch, action, ...ended, late: currentOf(view, order) === null } },
    ]);
    this.poke(runId);
  }
  private relay(order: OutboxEntry): void {
    const life = this.life;
    const times = this.parts.deliveries();
    for (let i = 0; i < times; i++)
      this.parts.time.after(this.parts.time.between(2, 10 + 700 * i), () => (life === this.life ? this.deliver(order) : undefined));
  }
  private async deliver(name: OutboxEntry): Promise<void> {
    const view = await this.engine.view(name.runId);
    const found = currentOf(view, name);
    if (found === null || view.plan === null) return;
    const planned = graphOf(view.plan).steps.get(name.step)!;
    const unwinds = name.action === 'undo' && planned.action !== 'undo';
    const { orderId, runId, step, action, attempt, epoch, node } = name;
    const order: SimOrder = {
      orderId, runId, step, action, attempt, epoch, node, task: planned.task, input: resolveInput(planned.input, view),
      ...(unwinds ? { before: found.step.before } : {}),
    }; // prettier-ignore
    if (name.target === 'server') return this.runHere(order);
    const session = this.sessions.get(node ?? '');
    if (session?.agent.linked)
      return this.parts.time.after(this.parts.time.between(1, 15), () => (session.agent.linked ? session.agent.take(order) : undefined));
    const waiting: NewEvent = { kind: 'OrderWaiting', step, node, body: { attempt, epoch, action, reason: `${node} is offline` } };
    return this.record(runId, (now) => (currentOf(now, name)?.step.waitingFor === null ? [waiting] : []));
  }
  private async runHere(order: SimOrder): Promise<void> {
    const key = `${order.orderId}#${order.attempt}`;
    if (this.here.has(key)) return;
    const stop = new AbortController();
    this.here.set(key, stop);
    const life = this.life;
    const alive = (): boolean => life === this.life;
    const { time } = this.parts;
    const { attempt, epoch, action, step, node, orderId } = order;
    await this.record(order.runId, (view) => (currentOf(view, order) ? [{ kind: 'OrderStarted', step, node, body: { attempt, epoch, action } }] : []));
    const ended = await this.parts.execute(order, {
      journal: {
        storedBefore: () => this.befores.get(orderId),
        before: async (value) => (alive() ? void this.befores.set(orderId, value) : forever()),
      },
      clock: { now: time.now, sleep: (ms, signal) => time.sleep(ms, { alive, signal }) },
      progress: () => undefined,
      signal: stop.signal,
      alive,
      point: async (_, effect) => (alive() ? effect() : forever()),
    }); // prettier-ignore
    if (!alive()) return;
    await this.settle(order, ended);
    this.here.delete(key);
  }
  private async cancelOrder(runId: string, order: OrderName): Promise<void> {
    const session = this.sessions.get(order.node ?? '');
    if (order.target === 'server') {
      const running = this.here.get(`${order.orderId}#${order.attempt}`);
      if (running) return running.abort('cancelled');
    } else if (session?.holds.get(order.orderId) === order.attempt) return session.agent.cancel(order.orderId, order.attempt);
    else return this.parts.time.after(100, () => this.poke(runId)); // it may be on its way
    await this.settle({ ...order, runId, task: '', input: null }, { outcome: 'cancelled', result: { findings: [] } });
  }

  private async record(runId: string, make: (view: RunView) => NewEvent[]): Promise<void> {
    const engine = this.engine;
    const ledger = this.guarded();
    for (;;) {
      const view = await engine.view(runId);
      const events = make(view);
      if (events.length === 0 || (await ledger.append(runId, view.seq, { events })) !== false) return;
    }
  }
  private poke(runId: string): void {
    const life = this.life;
    if (!this.up) return;
    this.engine.advance(runId).then(
      ({ wakeAt }) => {
        if (wakeAt !== null && life === this.life)
          this.parts.time.after(wakeAt - this.parts.time.now(), () => (life === this.life ? this.poke(runId) : undefined));
      },
      (error: unknown) => this.parts.time.fail(error),
    );
  }
  private async pokeAll(): Promise<void> {
    for (const { runId } of await this.parts.ledger.open()) this.poke(runId);
  }
  /** The ledger as this life of the server sees it: after its death nothing comes back, and it may die right after an event. */
  private guarded(): Ledger {
    const life = this.life;
    const { ledger } = this.parts;
    const alive = async <T>(value: Promise<T>): Promise<T> => (await value, life === this.life ? value : forever());
    return {
      read: (runId, after) => (life === this.life ? alive(ledger.read(runId, after)) : forever()),
      open: () => ledger.open(),
      append: async (runId, expected, batch) => {
        if (life !== this.life) return forever();
        const written = await ledger.append(runId, expected, batch);
        if (written !== false && written.some((event) => this.parts.dies(event))) this.crash();
        if (life !== this.life) return forever();
        if (written !== false) for (const release of batch.releases ?? []) this.relay({ ...release, runId });
        return written;
      },
    };
  }
  private situation(plan: Plan): Situation {
    this.sweep();
    const session = (name: string): SessionState => {
      const open = this.sessions.get(name);
      const lastSeen = open ? this.parts.time.now() : (this.lastSeen.get(name) ?? 0);
      return {
        connected: open !== undefined,
        enrolled: this.parts.agents.has(name),
        lastSeen,
        openedAt: open?.openedAt ?? null,
        holds: open?.holds ?? new Map(),
      };
    };
    const { pools, nodeWaitMs, onFailure } = this.parts.situation;
    return {
      nodeWaitMs,
      onFailure: onFailure(),
      now: this.parts.time.now(),
      sessions: new Map(plan.nodes.map((n) => [n.name, session(n.name)])),
      poolFree: (pool) => pools[pool] ?? Infinity,
      listeningSince: this.listeningSince,
    };
  }
}

function currentOf(view: RunView, order: { step: string; attempt: number; epoch: number; action: string }): Current | null {
  const step = view.steps.get(order.step);
  const same = step !== undefined && isInFlight(step) && step.attempt === order.attempt && step.epoch === order.epoch && step.action === order.action;
  return same && view.state !== 'ended' ? { view, step } : null;
}
