import { createHash } from 'node:crypto';
import { canonicalJson, isSecretRef, OrderBody, type OrderResult, sealedOutputContext } from '@strata/model';
import { sealTo, verifyOrder } from '@strata/pki';
import { inTheWay, judgeOrder, runTask, sealedFields, type Task, tasks } from '@strata/tasks';
import { AgentSession, CallRefused, type FromAgent, type Identity, type NodeTls, type ToAgent } from '@strata/wire';
import type { AgentDisk, Held, Write } from './agent-disk';
import { fastClock, forever, type Machine } from './machine';

export interface Identified {
  identity: Identity;
  tls: NodeTls;
}
/** What a test may do to an agent's work. */
export interface Interference {
  /** Before an order's task begins: hold it there, or throw to let the order fail. */
  beforeTask: (order: OrderBody) => Promise<void>;
  /** At each journal write: die ahead of it or just after it. */
  dies: (write: Write, order: OrderBody) => 'before' | 'after' | null;
  /** The output of an order before it is sealed: what this simulation must say otherwise than a real machine. */
  output: (step: string, output: Record<string, unknown>) => Record<string, unknown>;
}
export interface AgentParts extends Identified {
  disk: AgentDisk;
  machine: Machine;
  interference: Interference;
  /** Tells that this process died by itself, at a journal write. */
  died: () => void;
  /** Everything that came in and everything refused: the witness of what the server tried. */
  seen: { orders: { body: OrderBody; message: Extract<ToAgent, { kind: 'order' }> }[]; refused: { code: string; message: string }[]; dismissed: string[] };
}
const wantsSecrets = (value: unknown): boolean =>
  isSecretRef(value) || (typeof value === 'object' && value !== null && Object.values(value).some(wantsSecrets));

/**
 * One life of a simulated agent: real gRPC and TLS, real tasks, the order rules of libs/tasks, on a machine in memory. It dies like a process:
 * from then on nothing it does has an effect.
 */
export class AgentProcess {
  private alive = true;
  private session: AgentSession | null = null;
  private readonly running = new Map<string, AbortController>();
  private readonly awaitingSecrets = new Map<string, Held>();
  private readonly end = new AbortController();
  /** Closed for now: a cut cable. */
  private cut = false;

  constructor(private readonly o: AgentParts) {
    for (const held of o.disk.orders.values()) {
      if (held.state === 'settled') continue;
      if (wantsSecrets(held.body.input)) this.awaitingSecrets.set(held.body.orderId, held);
      else this.begin(held, new Map());
    }
    void this.keepConnected();
  }
  get connected(): boolean {
    return this.session !== null;
  }
  kill(): void {
    this.alive = false;
    this.end.abort();
    for (const stop of this.running.values()) stop.abort('killed');
    this.session?.close();
    this.session = null;
  }
  /** Pulls or plugs the network cable. */
  setCut(cut: boolean): void {
    this.cut = cut;
    if (cut) this.session?.close();
  }
  send(message: FromAgent): Promise<void> {
    if (!this.alive || !this.session) return Promise.reject(new Error('there is no session'));
    return this.session.send(message);
  }

  private async keepConnected(): Promise<void> {
    for (let failures = 0; this.alive; failures += 1) {
      try {
        if (!this.cut) await this.live();
        failures = 0;
      } catch (error) {
        if (error instanceof CallRefused) this.o.seen.refused.push({ code: error.reason, message: error.message });
      }
      await new Promise((resolve) => setTimeout(resolve, Math.min(2_000, 100 * 2 ** failures)));
    }
  }
  private async live(): Promise<void> {
    const { identity, tls, disk, machine } = this.o;
    let ended: (error: Error | undefined) => void = () => undefined;
    const end = new Promise<Error | undefined>((resolve) => (ended = resolve));
    const session = await AgentSession.open({
      addresses: identity.sessionAddresses,
      tls,
      signal: this.end.signal,
      onEnd: (error) => ended(error),
      onMessage: (message) => (this.alive ? this.hear(message) : forever()),
    });
    if (!this.alive || this.cut) return session.close();
    this.session = session;
    try {
      await session.send({
        kind: 'hello',
        ...{ agentVersion: '0.1.0', bootId: `boot-${machine.name}`, highestEpoch: disk.highestEpoch, agentTimeMs: Date.now() },
        factsDigest: await this.factsDigest(),
        catalogue: [...tasks.values()].filter((t) => t.on === 'node').map((t) => ({ name: t.name, version: t.version })),
        held: [...disk.orders.values()]
          .filter((h) => !h.acked)
          .map(({ body: b, state, epoch, attempt }) => ({ orderId: b.orderId, runId: b.runId, step: b.step, epoch, attempt, state })),
      });
      const error = await end;
      if (error) throw error;
    } finally {
      this.session = null;
    }
  }
  private async factsDigest(): Promise<string> {
    const { time: _time, ...facts } = await this.o.machine.host.facts();
    return createHash('sha256').update(canonicalJson(facts)).digest('hex');
  }

  private async hear(m: ToAgent): Promise<void> {
    if (m.kind === 'welcome') {
      if (m.wantsFacts) await this.tellFacts();
      for (const held of this.o.disk.orders.values()) if (held.state === 'settled' && !held.acked) await this.report(held);
      for (const held of this.awaitingSecrets.values()) await this.send({ kind: 'secretsWanted', orderId: held.body.orderId, attempt: held.attempt });
    } else if (m.kind === 'factsWanted') await this.tellFacts();
    else if (m.kind === 'order') await this.take(m);
    else if (m.kind === 'cancel') {
      const held = this.o.disk.orders.get(m.orderId);
      if (held?.attempt === m.attempt && held.state !== 'settled') await this.stop(held);
    } else if (m.kind === 'ack') {
      const held = this.o.disk.orders.get(m.orderId);
      if (held?.state === 'settled' && held.attempt === m.attempt && !held.acked) await this.write('acked', held.body);
    } else if (m.kind === 'secrets') {
      const held = this.awaitingSecrets.get(m.orderId);
      if (!held || held.attempt !== m.attempt || m.missing !== '') return;
      this.awaitingSecrets.delete(m.orderId);
      this.begin(held, textOf(m.secrets));
    } else if (m.kind === 'dismiss') this.o.seen.dismissed.push(m.reason);
  }
  private async tellFacts(): Promise<void> {
    await this.send({ kind: 'facts', digest: await this.factsDigest(), facts: await this.o.machine.host.facts() });
  }

  /** An order that came in. */
  async take(message: Extract<ToAgent, { kind: 'order' }>): Promise<void> {
    const key = this.o.identity.orderKeys.find((k) => k.keyId === message.keyId);
    if (!key || !verifyOrder(message.body, message.signature, key.publicKey)) return this.refuse({ orderId: '', epoch: 0, attempt: 0 }, 'bad-signature');
    const body = OrderBody.parse(JSON.parse(message.body.toString()));
    this.o.seen.orders.push({ body, message });
    const ref = { orderId: body.orderId, epoch: body.epoch, attempt: body.attempt };
    if (body.audience !== this.o.identity.nodeId || body.clusterId !== this.o.identity.clusterId) return this.refuse(ref, 'wrong-audience');
    if (Date.now() > body.issuedAtMs + body.validForMs) return this.refuse(ref, 'expired');
    const task = tasks.get(body.task);
    if (!task) return this.refuse(ref, 'unknown-task');
    if (task.version !== body.version) return this.refuse(ref, 'unknown-version');
    if (!task.input.safeParse(body.input).success) return this.refuse(ref, 'bad-input');
    const held = this.o.disk.orders.get(body.orderId);
    const judgement = judgeOrder(body, held, this.o.disk.highestEpoch);
    if (judgement.verdict === 'refuse') return this.refuse(ref, judgement.code, judgement.message);
    if (judgement.verdict === 'answer' && held) return this.report(held);
    if (judgement.verdict === 'again' && held) {
      await this.send({ kind: 'accepted', ...ref });
      if (this.awaitingSecrets.delete(body.orderId)) this.begin(held, textOf(message.secrets));
      return;
    }
    const other = inTheWay(body, this.o.disk.orders.values());
    if (other) {
      await this.stop(other);
      return this.refuse(ref, 'busy');
    }
    const accepted = await this.write('accepted', body);
    await this.send({ kind: 'accepted', ...ref }).catch(() => undefined);
    this.begin(accepted, textOf(message.secrets));
  }
  private async refuse(ref: { orderId: string; epoch: number; attempt: number }, code: Extract<FromAgent, { kind: 'refused' }>['code'], message: string = code): Promise<void> {
    this.o.seen.refused.push({ code, message });
    await this.send({ kind: 'refused', ...ref, code, message });
  } // prettier-ignore
  private async stop(held: Held): Promise<void> {
    const { orderId } = held.body;
    if (this.awaitingSecrets.delete(orderId))
      return this.report(await this.write('settled', held.body, { outcome: 'cancelled', result: { findings: [], before: held.before } }));
    this.running.get(orderId)?.abort('cancelled');
  }

  private begin(held: Held, secrets: ReadonlyMap<string, string>): void {
    const { orderId, step } = held.body;
    const stop = new AbortController();
    this.running.set(orderId, stop);
    const hand = { orderId, step, alive: () => this.alive };
    void this.o.machine
      .inHands(hand, () => this.execute(held, { secrets, signal: stop.signal }))
      .then((settled) => this.report(settled))
      .finally(() => this.running.delete(orderId));
  }
  private async execute(held: Held, run: { secrets: ReadonlyMap<string, string>; signal: AbortSignal }): Promise<Held> {
    const { body } = held;
    const { disk, machine, interference } = this.o;
    const task = tasks.get(body.task) as Task;
    if (held.state === 'accepted') await this.write('running', body);
    const stopped = new Promise<never>((_, reject) => run.signal.addEventListener('abort', () => reject(new Error('stopped')), { once: true }));
    stopped.catch(() => undefined);
    try {
      await Promise.race([interference.beforeTask(body), stopped]);
    } catch (error) {
      if (!this.alive) return forever();
      const failure = { code: 'injected', message: (error as Error).message, remedy: 'retry it', cause: [], retry: false };
      const result = { findings: [], before: held.before };
      return this.write('settled', body, run.signal.aborted ? { outcome: 'cancelled', result } : { outcome: 'failed', result: { ...result, failure } });
    }
    if (!this.alive) return forever();
    const ended = await runTask(
      task,
      { action: body.action, input: body.input, before: body.action === 'undo' ? (body.before ?? disk.befores.get(body.step)?.before) : undefined },
      {
        ports: { host: machine.host },
        common: {
          clock: fastClock(),
          signal: run.signal,
          serverNow: () => Date.now(),
          progress: (fraction, note) => void this.session?.offer({ kind: 'progress', orderId: body.orderId, attempt: body.attempt, fraction, note }),
          log: () => undefined,
          secret: ({ $secret }) => {
            const value = run.secrets.get($secret);
            if (value === undefined) throw new Error(`the order came without the secret ${$secret}`);
            return value;
          },
        },
        journal: {
          storedBefore: () => disk.orders.get(body.orderId)?.before,
          before: async (value) => {
            await this.write('before', body, { before: value });
            if (!disk.befores.has(body.step)) disk.befores.set(body.step, { runId: body.runId, before: value });
          },
        },
      },
    );
    if (!this.alive) return forever();
    if (body.action === 'undo' && ended.outcome === 'changed') disk.befores.delete(body.step);
    return this.write('settled', body, { outcome: ended.outcome, result: this.sealed(task, body, ended.result) });
  }
  private sealed(task: Task, body: OrderBody, result: OrderResult): OrderResult {
    if (typeof result.output !== 'object' || result.output === null) return result;
    const output = this.o.interference.output(body.step, result.output as Record<string, unknown>);
    const boxes = sealedFields(task).flatMap((f) => {
      const value = output[f];
      return typeof value === 'string' ? [[f, sealTo(this.o.identity.boxKey, Buffer.from(value), sealedOutputContext(body.orderId, f))]] : [];
    });
    return { ...result, output: { ...output, ...(Object.fromEntries(boxes) as Record<string, string>) } };
  }

  private async write(kind: Write, body: OrderBody, more: Partial<Held> = {}): Promise<Held> {
    if (!this.alive) return forever();
    const dies = this.o.interference.dies(kind, body);
    if (dies === 'before') return this.die();
    const held = this.o.disk.write(kind, body.orderId, kind === 'accepted' ? { body } : more);
    return dies === 'after' ? this.die() : held;
  }
  private die<T>(): Promise<T> {
    this.kill();
    this.o.died();
    return forever();
  }
  private async report(held: Held): Promise<void> {
    const { orderId, runId, step, epoch } = held.body;
    if (!held.outcome) return;
    const result = held.result ?? { findings: [] };
    const said = { orderId, runId, step, epoch, attempt: held.attempt, outcome: held.outcome, result, journalSeq: held.seq };
    await this.send({ kind: 'settled', ...said }).catch(() => undefined); // again after the next Welcome
  }
}
const textOf = (secrets: Record<string, Buffer>): Map<string, string> => new Map(Object.entries(secrets).map(([k, v]) => [k, v.toString('utf8')]));
