import { Inject, Injectable } from '@nestjs/common';
import type { Action, OrderResult } from '@strata/model';
import { resolveInput, type OrderName } from '@strata/run';
import { type Common, deadline, type Ended, failureOf, runTask, sealedFields, type Task, taskNamed, tasks } from '@strata/tasks';
import { Controls } from '../bootstrap/controls';
import { ClusterEdges } from '../clusters/cluster-edges';
import { RunBook } from '../runs/run-book';
import { clock, realTimers } from '../serve/clock';
import { Edges } from '../serve/edges';
import { LogKeeper } from '../sessions/log-keeper';
import { ProgressPace } from './progress-pace';
import { Befores } from './befores';
import { type OutboxOrder, type ReleasedOrder, ReleasedOrders } from './released-orders';
import { OrderSecrets } from './secrets';
import { SettleOrder, tamperedFailure } from './settle';

/** Carries out the steps that belong to the whole cluster. They begin with a line in the ledger, and after a restart with another look. */
@Injectable()
export class ServerOrders {
  @Inject() private readonly book!: RunBook;
  @Inject() private readonly released!: ReleasedOrders;
  @Inject() private readonly secrets!: OrderSecrets;
  @Inject() private readonly settle!: SettleOrder;
  @Inject() private readonly clusters!: ClusterEdges;
  @Inject() private readonly controls!: Controls;
  @Inject() private readonly befores!: Befores;
  private readonly running = new Map<string, { stop: AbortController; done: Promise<void> }>();
  private readonly logs: LogKeeper;

  constructor(private readonly edges: Edges) {
    this.logs = new LogKeeper(edges);
  }

  /** Resolves when the order has settled. One that is running already is not begun twice. */
  run(order: OutboxOrder): Promise<void> {
    const known = this.running.get(keyOf(order));
    if (known) return known.done;
    const stop = new AbortController();
    const done = this.once(order, stop).finally(() => this.running.delete(keyOf(order)));
    this.running.set(keyOf(order), { stop, done });
    return done;
  }

  /** Asks a running order to stop; false when it is not running here. */
  cancel(order: Pick<OrderName, 'orderId' | 'attempt' | 'epoch'>): boolean {
    const known = this.running.get(keyOf(order));
    known?.stop.abort('cancelled');
    return known !== undefined;
  }

  private async once(order: OutboxOrder, stop: AbortController): Promise<void> {
    const judged = await this.released.judge(order);
    if (judged.is === 'stale') return judged.never ? undefined : this.edges.store.outbox.drop([order]);
    if (judged.is === 'tampered') return void (await this.settle.refuse(order, tamperedFailure));
    const current = judged.order;
    await this.started(current);
    const ended = await this.carryOut(current, stop);
    if (this.edges.stopping.aborted) return; // not settled: after the restart it is looked at again
    await this.logs.flush();
    await this.settle.run({ ...order, ...ended });
    if (ended.outcome !== 'failed' && ended.outcome !== 'cancelled') await this.befores.drop(order.orderId);
  }

  private async carryOut(order: ReleasedOrder, stop: AbortController): Promise<Ended> {
    const limit = deadline(tasks.get(order.planned.task)?.timeoutFrom ?? 'start', order.planned.timeoutMs, realTimers);
    const signal = AbortSignal.any([stop.signal, limit.signal, this.edges.stopping]);
    try {
      const task = taskNamed(order.planned.task);
      const action: Action = order.stepView.action;
      const input = resolveInput(order.planned.input, order.view);
      const secrets = action === 'run' ? await this.secrets.values(order, input) : {};
      const stored = await this.befores.read(order.orderId);
      const before = action === 'undo' ? await this.beforeOfUndo(order) : undefined;
      const ended = await runTask(
        task,
        { action, input, before },
        {
          ports: { cluster: await this.clusters.of(order.clusterId), control: this.controls.of(order.clusterId, order.runId), node: order.planned.node },
          common: this.common(order, { secrets, signal, alive: limit.alive }),
          journal: { storedBefore: () => stored.value, before: (value) => this.befores.keep(order.orderId, stored, value) },
        },
      );
      return { ...ended, result: this.sealOutput(task, order, ended.result) };
    } catch (error) {
      return { outcome: 'failed', result: { findings: [], failure: failureOf(error, signal) } };
    } finally {
      limit.end();
    }
  }

  private common(order: ReleasedOrder, given: { secrets: Record<string, Buffer>; signal: AbortSignal; alive: () => void }): Common {
    const pace = new ProgressPace();
    return {
      clock,
      signal: given.signal,
      progress: (fraction, note) => {
        given.alive();
        if (!pace.isDue(this.edges.now(), { fraction, note })) return;
        void this.progressed(order, fraction, note).catch((error: unknown) => this.edges.log.warn({ err: error }, 'progress was not written'));
      },
      log: (line) => this.logs.add({ runId: order.runId, stepKey: order.step, attempt: order.attempt, at: this.edges.now(), stream: 'task', text: line }),
      secret: (ref) => {
        const value = given.secrets[ref.$secret];
        if (!value) throw new Error(`the secret ${ref.$secret} did not come with the order`);
        return value.toString('utf8');
      },
    };
  }

  /** An unwind takes back what this run changed; an uninstall what was found ahead of the first change of all. */
  private async beforeOfUndo(order: ReleasedOrder): Promise<unknown> {
    if (order.planned.action !== 'undo') return order.stepView.before;
    return this.befores.first(order.clusterId, order.step);
  }

  private async started(order: ReleasedOrder): Promise<void> {
    await this.book.record(order.runId, (view) => {
      const step = view.steps.get(order.step);
      if (!step || step.attempt !== order.attempt || step.epoch !== order.epoch || step.startedAt !== null || step.endedAt !== null) return [];
      return [{ kind: 'OrderStarted', step: order.step, node: order.planned.node, body: { attempt: step.attempt, epoch: step.epoch, action: step.action } }];
    });
  }

  private async progressed(order: ReleasedOrder, fraction: number | null, note: string): Promise<void> {
    await this.book.record(order.runId, (view) => {
      const step = view.steps.get(order.step);
      if (!step || step.attempt !== order.attempt || step.epoch !== order.epoch || step.startedAt === null || step.endedAt !== null) return [];
      const body = { attempt: step.attempt, epoch: step.epoch, action: step.action, fraction, note };
      return [{ kind: 'OrderProgressed', step: order.step, node: order.planned.node, body }];
    });
  }

  /** Secret outputs of server tasks are sealed like those of agents before anything keeps them. */
  private sealOutput(task: Task, order: ReleasedOrder, result: OrderResult): OrderResult {
    const fields = sealedFields(task);
    if (fields.length === 0 || typeof result.output !== 'object' || result.output === null) return result;
    const output: Record<string, unknown> = { ...(result.output as Record<string, unknown>) };
    for (const field of fields) if (typeof output[field] === 'string') output[field] = this.secrets.sealOutput(order.orderId, field, output[field]);
    return { ...result, output };
  }
}
const keyOf = (order: Pick<OrderName, 'orderId' | 'attempt' | 'epoch'>): string => `${order.orderId}#${order.attempt}#${order.epoch}`;
