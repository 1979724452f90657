import { randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { canonicalJson, type Failure, type OrderBody } from '@strata/model';
import { resolveInput } from '@strata/run';
import { failureOf, taskNamed } from '@strata/tasks';
import { RunBook } from '../runs/run-book';
import { Edges } from '../serve/edges';
import type { Session } from '../sessions/sessions';
import { OrderPlaces } from './order-places';
import { type OutboxOrder, type ReleasedOrder, ReleasedOrders } from './released-orders';
import { OrderSecrets } from './secrets';
import { nodeOf, otherNodeFailure, SettleOrder, tamperedFailure } from './settle';

const acceptMs = 10_000;
const validForMs = 120_000;
/** `over`: nothing is left to do. `sent`: the agent has it. `offline`: the node has no session. `again`: no answer came. */
export type Dispatched = 'over' | 'sent' | 'offline' | 'again';

/** Sends released orders to agents: judged, resolved, validated, signed. Sending one again is harmless: the agent knows the attempt. */
@Injectable()
export class Dispatch {
  private readonly flying = new Map<string, Promise<Dispatched>>();

  @Inject() private readonly edges!: Edges;
  @Inject() private readonly book!: RunBook;
  @Inject() private readonly released!: ReleasedOrders;
  @Inject() private readonly secrets!: OrderSecrets;
  @Inject() private readonly settle!: SettleOrder;
  @Inject() private readonly places!: OrderPlaces;

  /** One order; calls that come while it is being sent share the answer. */
  send(order: OutboxOrder): Promise<Dispatched> {
    const key = `${order.orderId}#${order.attempt}#${order.epoch}`;
    const flying = this.flying.get(key);
    if (flying) return flying;
    const sent = this.once(order).finally(() => this.flying.delete(key));
    this.flying.set(key, sent);
    return sent;
  }

  /** Resolves when the order is not being sent at this moment. */
  async landed(order: { orderId: string; attempt: number; epoch: number }): Promise<void> {
    await this.flying.get(`${order.orderId}#${order.attempt}#${order.epoch}`)?.catch(() => undefined);
  }

  /** A session opened: everything that is released for this node and that the agent does not hold goes out at once, without waiting for the queue. */
  async resend(session: Session): Promise<void> {
    for (const { runId, clusterId } of await this.edges.ledger.open()) {
      if (clusterId !== session.clusterId) continue;
      const view = await this.book.view(runId);
      for (const step of view.steps.values()) {
        const planned = view.plan?.steps.find((s) => s.key === step.key);
        const waits = step.orderId !== null && step.startedAt === null && step.endedAt === null && step.releasedAt !== null;
        if (!waits || planned?.target !== 'node' || planned.node !== session.name) continue;
        const { orderId, attempt, epoch } = step;
        void this.send({ runId, clusterId, step: step.key, orderId: orderId ?? '', attempt, epoch }).catch((error: unknown) =>
          this.edges.log.warn({ err: error, step: step.key }, 'an order could not be sent; the queue brings it again'),
        );
      }
    }
  }

  /** After a restart in mid-order the agent asks for the secret values again: it never journaled them. */
  async answerSecrets(session: Session, { orderId, attempt }: { orderId: string; attempt: number }): Promise<void> {
    const wanted = { orderId, attempt }; // what comes is a whole message: its kind may not stand in ours
    const answer = async (secrets: Record<string, Buffer>, missing: string): Promise<void> =>
      session.link.send({ ...wanted, kind: 'secrets', secrets, missing });
    const place = this.places.of(wanted.orderId);
    if (!place || nodeOf(place.step) !== session.name) return answer({}, 'this server knows no such order of this node');
    const step = (await this.book.view(place.runId)).steps.get(place.step);
    const judged = await this.released.judge({ ...wanted, ...place, clusterId: session.clusterId, epoch: step?.epoch ?? 0 });
    if (judged.is !== 'current') return answer({}, 'the order is over');
    try {
      return await answer(await this.secrets.values(judged.order, resolveInput(judged.order.planned.input, judged.order.view)), '');
    } catch (error) {
      return answer({}, error instanceof Error ? error.message : String(error));
    }
  }

  private async once(order: OutboxOrder): Promise<Dispatched> {
    const judged = await this.released.judge(order);
    if (judged.is === 'stale') {
      if (!judged.never) await this.edges.store.outbox.drop([order]);
      return 'over';
    }
    if (judged.is === 'tampered') {
      await this.settle.refuse(order, tamperedFailure);
      return 'over';
    }
    const released = judged.order;
    const session = this.sessionFor(released);
    if (!session) {
      await this.waiting(released);
      return 'offline';
    }
    const planned = released.plan.nodes.find((n) => n.name === session.name)?.nodeId ?? null;
    if (planned !== null && planned !== session.nodeId) {
      await this.settle.refuse(order, otherNodeFailure(session.name));
      return 'over';
    }
    if (released.stepView.startedAt !== null && session.holds.get(order.orderId) === order.attempt) return 'sent';
    let message;
    try {
      message = await this.message(released, session);
    } catch (error) {
      await this.settle.run({ ...order, outcome: 'failed', result: { findings: [], failure: failureOf(error, this.edges.stopping) } });
      return 'over';
    }
    if ('code' in message) {
      await this.settle.refuse(order, message);
      return 'over';
    }
    this.places.remember(order.orderId, { runId: order.runId, step: order.step });
    const answer = await this.edges.sessions.deliver(session, { orderId: order.orderId, attempt: order.attempt, message }, acceptMs);
    if (answer === null) return 'again';
    if (answer.accepted) return 'sent';
    if (answer.code === 'busy' || answer.code === 'expired' || answer.code === 'replayed') return 'again';
    const retry = answer.code === 'journal';
    await this.settle.refuse(order, {
      code: `agent-${answer.code}`,
      message: `the agent of ${session.name} refused the order: ${answer.message}`,
      remedy:
        answer.code === 'unknown-task' || answer.code === 'unknown-version'
          ? 'update the agent of that node, then retry the step'
          : retry
            ? `free space on ${session.name} (\`strata doctor ${session.name}\` says on which disk), then retry the step`
            : 'look at the log of the agent, then retry the step',
      cause: [],
      retry,
    });
    return 'over';
  }

  /** What goes over the wire, or why this order cannot be carried out at all. */
  private async message(order: ReleasedOrder, session: Session): Promise<Parameters<Session['link']['send']>[0] | Failure> {
    const task = taskNamed(order.planned.task);
    const input = resolveInput(order.planned.input, order.view);
    const parsed = task.input.safeParse(input);
    if (!parsed.success)
      return {
        code: 'bad-input',
        message: `${task.name} would be given an input that it does not accept: ${parsed.error.issues.map((i) => `${i.path.join('.')}: ${i.message}`).join('; ')}`,
        remedy: 'plan again: the plan was made by another version',
        cause: [],
        retry: false,
      };
    const unwinds = order.stepView.action === 'undo' && order.planned.action !== 'undo';
    const body: OrderBody = {
      orderId: order.orderId,
      clusterId: order.clusterId,
      runId: order.runId,
      step: order.step,
      epoch: order.epoch,
      attempt: order.attempt,
      task: task.name,
      version: order.planned.version,
      action: order.stepView.action,
      input,
      ...(unwinds ? { before: order.stepView.before ?? null } : {}), // null: the ledger knows none of this run's own
      audience: session.nodeId,
      nonce: randomBytes(16).toString('base64url'),
      issuedAtMs: this.edges.now(),
      validForMs,
      timeoutMs: order.planned.timeoutMs,
    };
    const bytes = Buffer.from(canonicalJson(body), 'utf8');
    const secrets = body.action === 'run' ? await this.secrets.values(order, input) : {};
    return { kind: 'order', body: bytes, signature: this.edges.keys.orders.sign(bytes), keyId: this.edges.keys.orders.keyId, secrets };
  }

  private sessionFor(order: ReleasedOrder): Session | null {
    return order.planned.node === null ? null : this.edges.sessions.named(order.clusterId, order.planned.node);
  }

  private async waiting(order: ReleasedOrder): Promise<void> {
    const node = order.planned.node ?? 'the node';
    await this.book.record(order.runId, (view) => {
      const step = view.steps.get(order.step);
      if (!step || step.orderId !== order.orderId || step.attempt !== order.attempt || step.endedAt !== null || step.waitingFor !== null) return [];
      const body = { attempt: step.attempt, epoch: step.epoch, action: step.action, reason: `${node} is offline` };
      return [{ kind: 'OrderWaiting', step: order.step, node, body }];
    });
  }
}
