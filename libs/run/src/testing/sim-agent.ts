import type { Action, OrderResult, Outcome } from '@strata/model';
import { forever, type VirtualTime } from './virtual-time';

export interface SimOrder {
  orderId: string;
  runId: string;
  step: string;
  task: string;
  action: Action;
  attempt: number;
  epoch: number;
  input: unknown; // resolved
  before?: unknown; // an unwind's
  node: string | null;
}
export interface SimEnded {
  outcome: Outcome;
  result: OrderResult;
}
/** What an executor of orders gets. Everything that outlives a crash goes through `journal`; once `alive` says no, nothing it does may have an effect. */
export interface SimContext {
  journal: { storedBefore(): unknown; before(value: unknown): Promise<void> };
  clock: { now(): number; sleep(ms: number, signal?: AbortSignal): Promise<void> };
  progress: (fraction: number | null, note: string) => void;
  signal: AbortSignal;
  alive: () => boolean;
  /** For an executor that has points of its own at which the process may die: freezes there if this is the one. */
  point<T>(name: string, effect: () => T | Promise<T>): Promise<T>;
}
export type Execute = (order: SimOrder, context: SimContext) => Promise<SimEnded>;
export interface HeldOrder {
  order: SimOrder;
  epoch: number;
  attempt: number;
  state: 'accepted' | 'running' | 'settled';
  before?: unknown;
  ended?: SimEnded;
  acked: boolean;
}
/** The agent's rule for an order that comes in: `judgeOrder` of the tasks' library. */
export type Judge = (
  incoming: { epoch: number; attempt: number },
  held: HeldOrder | undefined,
  highestEpoch: number,
) => { verdict: 'accept' | 'again' | 'answer' } | { verdict: 'refuse'; code: string; message: string };

export type FromAgent =
  | { kind: 'accepted' | 'progress'; order: SimOrder; fraction?: number | null; note?: string }
  | { kind: 'refused'; order: SimOrder; code: string; message: string }
  | { kind: 'settled'; order: SimOrder; ended: SimEnded };
export interface Uplink {
  /** @returns the way to close the session, or null when nobody listens. */
  hello(agent: SimAgent): boolean;
  receive(agent: SimAgent, message: FromAgent): void | Promise<void>;
}
export interface AgentParts {
  node: string;
  time: VirtualTime;
  uplink: () => Uplink;
  execute: Execute;
  judge: Judge;
  /** Asked at each point at which the process may die. */
  dies: (point: string) => 'before' | 'after' | null;
  restartMs: number;
}

/** An agent with the journal's semantics of the real one: what it wrote outlives a crash, what it was doing does not. */
export class SimAgent {
  readonly journal = new Map<string, HeldOrder>();
  /** The first `before` of each step that ever changed this node. */
  readonly befores = new Map<string, unknown>();
  private highest = 0;
  private life = 0;
  private up = false;
  private offlineUntil = 0;
  linked = false;
  private readonly running = new Map<string, AbortController>();

  constructor(private readonly parts: AgentParts) {}
  get node(): string {
    return this.parts.node;
  }

  start(): void {
    this.up = true;
    const life = this.life;
    for (const held of this.journal.values()) if (held.state !== 'settled' && life === this.life) void this.work(held);
    if (life === this.life) this.reconnect(this.parts.time.between(10, 300));
  }
  /** kill -9, and the unit starts it again. */
  crash(): void {
    if (!this.up) return;
    this.up = false;
    this.linked = false;
    this.life += 1;
    this.running.clear();
    this.parts.time.after(this.parts.restartMs, () => this.start());
  }
  /** Its journal is lost with the process: a disk that was put back from yesterday's image. */
  wipe(): void {
    this.journal.clear();
    this.befores.clear();
    this.highest = 0;
    this.crash();
  }
  /** It is gone for good. */
  retire(): void {
    this.up = false;
    this.linked = false;
    this.life += 1;
  }
  /** The network is gone for a while. */
  offline(ms: number): void {
    this.offlineUntil = this.parts.time.now() + ms;
    this.linked = false;
    this.reconnect(ms);
  }
  /** The stream ended. */
  cut(): void {
    if (!this.linked) return;
    this.linked = false;
    this.reconnect(this.parts.time.between(20, 800));
  }
  private reconnect(inMs: number): void {
    const { time, uplink } = this.parts;
    const life = this.life;
    time.after(inMs, () => {
      if (!this.up || life !== this.life || this.linked) return;
      if (time.now() < this.offlineUntil || !uplink().hello(this)) return this.reconnect(500);
      this.linked = true;
      for (const held of this.journal.values())
        if (held.state === 'settled' && !held.acked) this.send({ kind: 'settled', order: held.order, ended: held.ended! });
    });
  }

  /** An order came over the stream. */
  async take(order: SimOrder): Promise<void> {
    if (!this.up) return;
    const held = this.journal.get(order.orderId);
    const judged = this.parts.judge(order, held, this.highest);
    if (judged.verdict === 'refuse') return this.send({ kind: 'refused', order, code: judged.code, message: judged.message });
    if (judged.verdict === 'answer') return this.send({ kind: 'settled', order, ended: held!.ended! });
    if (judged.verdict === 'again') return this.send({ kind: 'accepted', order });
    const other = [...this.journal.values()].find((h) => h.state !== 'settled' && h.order.step === order.step && h.order.orderId !== order.orderId);
    if (other !== undefined) {
      this.running.get(other.order.orderId)?.abort('cancelled');
      return this.send({ kind: 'refused', order, code: 'busy', message: `${other.order.orderId} is being stopped` });
    }
    const fresh: HeldOrder = { order, epoch: order.epoch, attempt: order.attempt, state: 'accepted', before: held?.before, acked: false };
    await this.point(this.life, `accepted ${order.step}`, () => {
      this.journal.set(order.orderId, fresh);
      this.highest = Math.max(this.highest, order.epoch);
    });
    this.send({ kind: 'accepted', order });
    void this.work(fresh);
  }
  cancel(orderId: string, attempt: number): void {
    if (this.journal.get(orderId)?.attempt === attempt) this.running.get(orderId)?.abort('cancelled');
  }
  acked(orderId: string, attempt: number): void {
    const held = this.journal.get(orderId);
    if (held?.attempt === attempt && held.state === 'settled') held.acked = true;
  }

  private async work(held: HeldOrder): Promise<void> {
    const life = this.life;
    const { order } = held;
    const { time } = this.parts;
    const alive = (): boolean => life === this.life;
    const stop = new AbortController();
    this.running.set(order.orderId, stop);
    try {
      if (held.state === 'accepted') await this.point(life, `running ${order.step}`, () => void (held.state = 'running'));
      const before = order.action === 'undo' ? (order.before ?? this.befores.get(order.step)) : undefined;
      const ended = await this.parts.execute({ ...order, before }, {
        journal: {
          storedBefore: () => held.before,
          before: (value) =>
            this.point(life, `before ${order.step}`, () => {
              held.before = value;
              if (!this.befores.has(order.step)) this.befores.set(order.step, value);
            }),
        },
        clock: { now: time.now, sleep: (ms, signal) => time.sleep(ms, { alive, signal }) },
        progress: (fraction, note) => void (alive() && this.send({ kind: 'progress', order, fraction, note })),
        signal: stop.signal,
        alive,
        point: (name, effect) => this.point(life, `${name} in ${order.step}`, effect),
      }); // prettier-ignore
      if (!alive()) return;
      await this.point(life, `settled ${order.step}`, () => {
        if (order.action === 'undo' && ended.outcome === 'changed') this.takenBack(order);
        Object.assign(held, { state: 'settled', ended });
      });
      this.running.delete(order.orderId);
      this.send({ kind: 'settled', order, ended });
    } catch (error) {
      if (alive()) time.fail(error);
    }
  }
  private takenBack({ runId, step }: SimOrder): void {
    this.befores.delete(step);
    for (const held of this.journal.values()) if (held.order.runId === runId && held.order.step === step) delete held.before;
  }
  /** Does one thing that outlives a crash, unless the process dies here. */
  private async point<T>(life: number, name: string, effect: () => T | Promise<T>): Promise<T> {
    if (life !== this.life) return forever();
    const dies = this.parts.dies(`${this.node}: ${name}`);
    if (dies === 'before') this.crash();
    if (life !== this.life) return forever();
    const value = await effect();
    if (dies === 'after') this.crash();
    return life === this.life ? value : forever();
  }
  private send(message: FromAgent): void {
    const { time, uplink } = this.parts;
    const life = this.life;
    if (this.linked) time.after(time.between(1, 15), () => (this.linked && life === this.life ? uplink().receive(this, message) : undefined));
  }
}
