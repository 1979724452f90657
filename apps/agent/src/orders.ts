import { OrderBody, type OrderResult, type Outcome } from '@strata/model';
import { verifyOrder } from '@strata/pki';
import { inTheWay, judgeOrder, tasks } from '@strata/tasks';
import type { FromAgent, RefusalCode, ToAgent } from '@strata/wire';
import type { AgentConfig } from './config';
import { type Execution, executeOrder, wantsSecrets, whenThereIsSpace } from './execute-order';
import type { Held } from './journal';

type OrderMessage = Extract<ToAgent, { kind: 'order' }>;
export interface OrdersOptions extends Omit<Execution, 'progress' | 'log'> {
  config: AgentConfig;
  /** Sends what must arrive; rejects when there is no session. Outcomes are sent again after the next Welcome. */
  send: (message: FromAgent) => Promise<void>;
  offer: (message: Extract<FromAgent, { kind: 'log' | 'progress' }>) => boolean;
  /** Server time by our monotonic clock, or null before the first Welcome. */
  serverNow: () => number | null;
  say: (line: string) => void;
  /** The journal cannot say how an order ended: this process ends, and its next life looks again. */
  fatal: (line: string) => void;
}
const progressEveryMs = 300;

/** The orders of this node: judges what comes in, runs it, answers until it is acknowledged. */
export class Orders {
  private readonly running = new Map<string, AbortController>();
  private readonly awaitingSecrets = new Map<string, Held>();
  /** Orders that this process began. */
  begun = 0;
  constructor(private readonly o: OrdersOptions) {}

  /** After a start of the agent: what was under way goes on. What needs secrets waits until the server sent them again. */
  resume(): void {
    for (const held of this.o.journal.all()) {
      if (held.state === 'settled') continue;
      if (wantsSecrets(held.body.input)) this.awaitingSecrets.set(held.body.orderId, held);
      else this.start(held, new Map());
    }
  }
  /** After each Welcome: unacknowledged outcomes, and requests for secrets. */
  async afterWelcome(): Promise<void> {
    for (const held of this.o.journal.all()) if (held.state === 'settled' && !held.acked) await this.report(held);
    await this.askForSecrets();
  }
  /** Asks for the secret values of orders that were under way when an earlier life ended; asked again until they came. */
  async askForSecrets(): Promise<void> {
    for (const held of this.awaitingSecrets.values()) await this.o.send({ kind: 'secretsWanted', orderId: held.body.orderId, attempt: held.attempt });
  }
  get busy(): boolean {
    return this.running.size > 0 || this.awaitingSecrets.size > 0;
  }

  async take(message: OrderMessage): Promise<void> {
    const judged = this.judge(message);
    if ('refusal' in judged) {
      this.o.say(`refused order ${judged.ref.orderId}: ${judged.refusal.message}`);
      await this.o.send({ kind: 'refused', ...judged.ref, ...judged.refusal });
      return;
    }
    const { body } = judged;
    const ref = { orderId: body.orderId, epoch: body.epoch, attempt: body.attempt };
    const held = this.o.journal.get(body.orderId);
    const judgement = judgeOrder(body, held, this.o.journal.highestEpoch);
    if (judgement.verdict === 'refuse') {
      await this.o.send({ kind: 'refused', ...ref, code: judgement.code, message: judgement.message });
      return;
    }
    if (judgement.verdict === 'answer' && held) return this.report(held);
    const secrets = new Map(Object.entries(message.secrets).map(([k, v]) => [k, v.toString()]));
    if (judgement.verdict === 'again' && held) {
      await this.o.send({ kind: 'accepted', ...ref });
      if (this.awaitingSecrets.delete(body.orderId)) this.start(held, secrets);
      return;
    }
    const other = inTheWay(body, this.o.journal.all());
    if (other) {
      this.o.say(`order ${other.body.orderId} is stopped: ${body.orderId} takes its step over`);
      this.stop(other);
      await this.o.send({ kind: 'refused', ...ref, code: 'busy', message: `order ${other.body.orderId} of the same step is being stopped` });
      return;
    }
    let accepted: Held;
    try {
      accepted = this.o.journal.accepted(body);
    } catch (error) {
      await this.o.send({ kind: 'refused', ...ref, code: 'journal', message: (error as Error).message });
      return;
    }
    await this.o.send({ kind: 'accepted', ...ref }).catch(() => undefined); // without a session the next Hello says it
    this.start(accepted, secrets);
  }
  /** Secret values that were asked for after a restart. */
  async secrets(message: Extract<ToAgent, { kind: 'secrets' }>): Promise<void> {
    const held = this.awaitingSecrets.get(message.orderId);
    if (!held || held.attempt !== message.attempt) return;
    this.awaitingSecrets.delete(message.orderId);
    if (message.missing === '') return this.start(held, new Map(Object.entries(message.secrets).map(([k, v]) => [k, v.toString()])));
    const failure = {
      code: 'secret-missing',
      message: `after a restart the server could not give the secrets of this order again: ${message.missing}`,
      remedy: 'retry the step',
      cause: [],
      retry: true,
    };
    this.settle(held, { outcome: 'failed', result: { findings: [], failure, before: held.before } });
  }
  cancel(message: Extract<ToAgent, { kind: 'cancel' }>): void {
    const held = this.o.journal.get(message.orderId);
    if (held?.attempt === message.attempt && held.state !== 'settled') this.stop(held);
  }
  /** Ends an order that is under way; one that still waits for its secrets has nothing to end. */
  private stop(held: Held): void {
    const { orderId } = held.body;
    if (this.awaitingSecrets.delete(orderId)) return this.settle(held, { outcome: 'cancelled', result: { findings: [], before: held.before } });
    this.running.get(orderId)?.abort('cancelled');
  }
  acked(message: Extract<ToAgent, { kind: 'ack' }>): void {
    const held = this.o.journal.get(message.orderId);
    if (held?.state === 'settled' && held.attempt === message.attempt && !held.acked) this.o.journal.acked(message.orderId);
  }

  private judge(
    message: OrderMessage,
  ): { body: OrderBody } | { ref: { orderId: string; epoch: number; attempt: number }; refusal: { code: RefusalCode; message: string } } {
    const none = { orderId: '', epoch: 0, attempt: 0 };
    const key = this.o.config.orderKeys[message.keyId];
    if (!key || !verifyOrder(message.body, message.signature, Buffer.from(key, 'base64')))
      return { ref: none, refusal: { code: 'bad-signature', message: `an order came that no key of our server signed (key ${message.keyId.slice(0, 20)})` } };
    const parsed = OrderBody.safeParse(JSON.parse(message.body.toString()));
    if (!parsed.success)
      return {
        ref: none,
        refusal: { code: 'bad-input', message: `a signed order has a form that this agent does not know: ${parsed.error.issues[0]?.message ?? ''}` },
      };
    const body = parsed.data;
    const ref = { orderId: body.orderId, epoch: body.epoch, attempt: body.attempt };
    const no = (code: RefusalCode, text: string): { ref: typeof ref; refusal: { code: RefusalCode; message: string } } => ({
      ref,
      refusal: { code, message: text },
    });
    if (body.audience !== this.o.config.nodeId || body.clusterId !== this.o.config.clusterId) return no('wrong-audience', 'the order is for another node');
    const now = this.o.serverNow();
    if (now !== null && now > body.issuedAtMs + body.validForMs)
      return no('expired', `the order was valid for ${body.validForMs / 1000} s and is ${Math.round((now - body.issuedAtMs) / 1000)} s old`);
    const task = tasks.get(body.task);
    if (!task || task.on !== 'node') return no('unknown-task', `this agent has no task ${body.task}`);
    if (task.version !== body.version) return no('unknown-version', `this agent has version ${task.version} of ${body.task}, the order wants ${body.version}`);
    const input = task.input.safeParse(body.input);
    if (!input.success) return no('bad-input', `${body.task}: ${input.error.issues.map((i) => `${i.path.join('.')}: ${i.message}`).join('; ')}`);
    return { body };
  }

  private start(held: Held, secrets: ReadonlyMap<string, string>): void {
    const { orderId } = held.body;
    if (this.running.has(orderId)) return;
    const stop = new AbortController();
    this.running.set(orderId, stop);
    this.begun += 1;
    const ref = { orderId, attempt: held.attempt };
    let last = 0;
    let seq = 0;
    let dropped = 0;
    const masked = [...secrets.values()].filter((v) => v.length >= 6);
    const mask = (text: string): string => masked.reduce((t, v) => t.replaceAll(v, '***'), text);
    const progress = (fraction: number | null, note: string): void => {
      const now = performance.now();
      if (now - last < progressEveryMs && fraction !== 1) return;
      last = now;
      this.o.offer({ kind: 'progress', ...ref, fraction, note: mask(note) });
    };
    const log = (stream: string, line: string): void => {
      seq += 1;
      const sent = this.o.offer({ kind: 'log', ...ref, seq, stream, text: mask(line).slice(0, 4000), dropped, atMs: Date.now() });
      dropped = sent ? 0 : dropped + 1;
    };
    log('agent', `${held.body.action} ${held.body.task}, attempt ${held.attempt}`);
    void executeOrder(held, secrets, { ...this.o, progress, log, signal: stop.signal })
      .then((settled) => {
        log('agent', `${settled.outcome ?? ''}${settled.result?.failure ? `: ${settled.result.failure.message}` : ''}`);
        return this.report(settled);
      })
      .catch((error: unknown) => this.o.fatal(`order ${orderId}: ${(error as Error).message}`))
      .finally(() => this.running.delete(orderId));
  }
  /** The end of an order that did not run; on a full disk it comes later, and nobody else waits for it. */
  private settle(held: Held, ended: { outcome: Outcome; result: OrderResult }): void {
    const log = (_stream: string, line: string): void => this.o.say(line);
    void whenThereIsSpace(() => this.o.journal.settled(held.body.orderId, ended), { log, progress: () => undefined })
      .then((settled) => this.report(settled))
      .catch((error: unknown) => this.o.fatal(`order ${held.body.orderId}: ${(error as Error).message}`));
  }
  private async report(held: Held): Promise<void> {
    if (!held.outcome) return;
    const { orderId, runId, step, epoch } = held.body;
    await this.o
      .send({
        kind: 'settled',
        orderId,
        runId,
        step,
        epoch,
        attempt: held.attempt,
        outcome: held.outcome,
        result: held.result ?? { findings: [] },
        journalSeq: held.seq,
      })
      .catch(() => undefined); // sent again after the next Welcome
  }
}
