import { Inject, Injectable } from '@nestjs/common';
import { Facts, OrderResult } from '@strata/model';
import type { FromAgentBodies, HeldOrder } from '@strata/wire';
import { ProgressPace } from '../orders/progress-pace';
import { OrderPlaces } from '../orders/order-places';
import { nodeOf, SettleOrder } from '../orders/settle';
import { RunBook } from '../runs/run-book';
import { Edges } from '../serve/edges';
import { LogKeeper } from './log-keeper';
import type { Session } from './sessions';

const seenEveryMs = 5_000;
const creditBatch = 64;

/** What agents report goes into the ledger, the logs and the node's row. An agent speaks only for orders of its own node. */
@Injectable()
export class AgentReports {
  private readonly logs: LogKeeper;
  private readonly lastSeenWrite = new Map<string, number>(); // by node id
  private readonly paces = new Map<string, ProgressPace>(); // by order id

  @Inject() private readonly book!: RunBook;
  @Inject() private readonly settle!: SettleOrder;
  @Inject() private readonly places!: OrderPlaces;

  constructor(private readonly edges: Edges) {
    this.logs = new LogKeeper(edges);
  }

  /** Orders that the agent's journal holds from before: what the ledger thinks is merely out has begun. */
  async held(session: Session): Promise<void> {
    for (const order of session.hello.held) {
      if (!this.owns(session, order.step)) continue;
      this.places.remember(order.orderId, { runId: order.runId, step: order.step });
      if (order.state !== 'settled' && (await this.edges.store.runs.find(order.runId))) await this.started(session, order);
    }
  }

  async started(session: Session, order: Pick<HeldOrder, 'orderId' | 'attempt' | 'epoch'>): Promise<void> {
    const place = this.placeOf(session, order.orderId);
    if (!place) return;
    await this.book.record(place.runId, (view) => {
      const step = view.steps.get(place.step);
      if (!step || step.orderId !== order.orderId || step.attempt !== order.attempt || step.epoch !== order.epoch || step.startedAt !== null) return [];
      if (step.state !== 'released' && step.state !== 'undoing') return [];
      return [{ kind: 'OrderStarted', step: place.step, node: session.name, body: { attempt: step.attempt, epoch: step.epoch, action: step.action } }];
    });
  }

  /** State changes, then at most every 10 % or 5 s. */
  async progress(session: Session, said: FromAgentBodies['progress']): Promise<void> {
    const place = this.placeOf(session, said.orderId);
    if (!place) return;
    const pace = this.paces.get(said.orderId) ?? new ProgressPace();
    this.paces.set(said.orderId, pace);
    if (!pace.isDue(this.edges.now(), said)) return;
    await this.book.record(place.runId, (view) => {
      const step = view.steps.get(place.step);
      if (!step || step.orderId !== said.orderId || step.attempt !== said.attempt || step.startedAt === null || step.endedAt !== null) return [];
      const body = { attempt: step.attempt, epoch: step.epoch, action: step.action, fraction: said.fraction, note: said.note };
      return [{ kind: 'OrderProgressed', step: place.step, node: session.name, body }];
    });
  }

  /** Resolves when the outcome is in the ledger: only then may it be acknowledged. An outcome of nobody's run is acknowledged too, or it would come for ever. */
  async settled(session: Session, said: FromAgentBodies['settled']): Promise<void> {
    if (!(await this.mayTell(session, said))) {
      this.edges.log.warn(
        { node: session.name, step: said.step, runId: said.runId },
        'an outcome of an order that is not this node’s, or of no run, was left out',
      );
      return;
    }
    const parsed = OrderResult.safeParse(said.result ?? {});
    const result: OrderResult = parsed.success
      ? parsed.data
      : {
          findings: [],
          failure: {
            code: 'bad-result',
            message: 'the agent answered in a form that this server does not read',
            remedy: 'update the agent or the server',
            cause: [],
            retry: false,
          },
        };
    await this.logs.flush();
    this.paces.delete(said.orderId);
    const { runId, step, orderId, attempt, epoch } = said;
    await this.settle.run({ runId, step, orderId, attempt, epoch, outcome: parsed.success ? said.outcome : 'failed', result });
  }

  async log(session: Session, said: FromAgentBodies['log']): Promise<void> {
    session.linesOwed += 1;
    if (session.linesOwed >= creditBatch) {
      await session.link.send({ kind: 'credit', n: session.linesOwed });
      session.linesOwed = 0;
    }
    const place = this.placeOf(session, said.orderId);
    if (!place) return;
    const line = { runId: place.runId, stepKey: place.step, attempt: said.attempt, at: said.atMs, stream: said.stream };
    if (said.dropped > 0) this.logs.add({ ...line, text: `… ${said.dropped} lines were not sent` });
    this.logs.add({ ...line, text: said.text });
  }

  async facts(session: Session, said: FromAgentBodies['facts']): Promise<void> {
    const facts = Facts.safeParse(said.facts);
    if (!facts.success) {
      this.edges.log.warn({ node: session.name, issues: facts.error.issues.slice(0, 5) }, 'the facts of a node are in a form that this server does not read');
      return;
    }
    await this.edges.store.nodes.recordFacts(session.nodeId, { facts: facts.data, digest: said.digest, agentVersion: session.hello.agentVersion });
  }

  async heartbeat(session: Session, said: FromAgentBodies['heartbeat']): Promise<void> {
    const now = this.edges.now();
    if (now - (this.lastSeenWrite.get(session.nodeId) ?? 0) < seenEveryMs) return;
    this.lastSeenWrite.set(session.nodeId, now);
    await this.edges.store.nodes.seen([{ nodeId: session.nodeId, at: new Date(now), skewMs: said.agentTimeMs - now }]);
  }

  /** At the end of a session. */
  async flush(session: Session): Promise<void> {
    await this.logs.flush();
    await this.edges.store.nodes.seen([{ nodeId: session.nodeId, at: new Date(session.lastSeen), skewMs: null }]);
  }

  /** Whether the outcome is of an order of this agent's own: of a run that there is, of a step that runs on its node. */
  private async mayTell(session: Session, said: { runId: string; step: string }): Promise<boolean> {
    if (!this.owns(session, said.step)) return false;
    const { plan } = await this.book.view(said.runId);
    if (plan?.clusterId !== session.clusterId) return false;
    const planned = plan.steps.find((s) => s.key === said.step);
    return planned?.target === 'node';
  }
  private owns(session: Session, step: string): boolean {
    return nodeOf(step) === session.name;
  }
  private placeOf(session: Session, orderId: string): { runId: string; step: string } | null {
    const place = this.places.of(orderId);
    return place && this.owns(session, place.step) ? place : null;
  }
}
