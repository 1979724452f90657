import { Injectable } from '@nestjs/common';
import { type Action, canonicalJson, type ClusterSpec, orderIdOf, type Plan, type Step } from '@strata/model';
import { sealMac, verifyMac } from '@strata/pki';
import type { RunView, StepView } from '@strata/run';
import { RunBook } from '../runs/run-book';
import { Edges } from '../serve/edges';

export interface OrderKey {
  orderId: string;
  attempt: number;
  epoch: number;
}
export interface OutboxOrder extends OrderKey {
  runId: string;
  clusterId: string;
  step: string;
}
/** An order that the ledger released, of a plan whose seal holds. */
export interface ReleasedOrder extends OutboxOrder {
  plan: Plan;
  step: string;
  planned: Step;
  stepView: StepView;
  view: RunView;
}
/** `stale`: it is over; `never`: the ledger never released such an order. `tampered`: plan, spec or a line of the ledger are not what was sealed. */
export type Judgement = { is: 'current'; order: ReleasedOrder } | { is: 'stale'; never: boolean } | { is: 'tampered'; order: OutboxOrder; stepView: StepView };

/** Whether an order may be carried out: only what the ledger released, of a plan whose seal (its key is in no database) still holds. */
@Injectable()
export class ReleasedOrders {
  private readonly sound = new WeakSet<Plan>();

  constructor(
    private readonly edges: Edges,
    private readonly book: RunBook,
  ) {}

  async judge(order: OutboxOrder): Promise<Judgement> {
    const view = await this.book.view(order.runId);
    const stepView = view.steps.get(order.step);
    const planned = view.plan?.steps.find((s) => s.key === order.step);
    if (!view.plan || !planned || !stepView) return this.stale(order, true);
    const out = stepView.state === 'released' || stepView.state === 'running' || stepView.state === 'undoing';
    const newer = stepView.epoch - order.epoch || stepView.attempt - order.attempt;
    const never = !['run', 'undo', 'check'].some((action) => orderIdOf(order.runId, order.step, action as Action) === order.orderId) || newer < 0;
    if (!out || stepView.orderId !== order.orderId || newer !== 0) return this.stale(order, never || stepView.orderId === null);
    if (!(await this.holds(order, view.plan))) return { is: 'tampered', order, stepView };
    return { is: 'current', order: { ...order, plan: view.plan, planned, stepView, view } };
  }

  private stale(order: OutboxOrder, never: boolean): { is: 'stale'; never: boolean } {
    if (never) this.edges.log.warn({ order }, 'a job was left out: the ledger never released such an order');
    return { is: 'stale', never };
  }

  /** Whether the seal holds. Judged once for each plan that was read from the ledger: what is in memory since then, no database changes. */
  private async holds(order: OutboxOrder, plan: Plan): Promise<boolean> {
    if (this.edges.ledger.isBroken(order.runId)) return false;
    if (this.sound.has(plan)) return plan.clusterId === order.clusterId;
    const run = await this.edges.store.runs.find(order.runId);
    const spec = run && (await this.edges.store.clusters.spec(run.clusterId, run.specVersion));
    if (!run?.planSeal || !spec || run.clusterId !== order.clusterId || plan.clusterId !== order.clusterId) return false;
    const sealed = sealText({ runId: run.id, clusterId: run.clusterId, plan, spec });
    if (!verifyMac(this.edges.keys.planSeal, sealed, run.planSeal)) return false;
    this.sound.add(plan);
    return true;
  }
}

/** What the seal of a run covers: the plan, the spec it came from, and whose they are. */
export interface Sealed {
  runId: string;
  clusterId: string;
  plan: Plan;
  spec: ClusterSpec;
}
const sealText = (what: Sealed): string => canonicalJson(what);
export const sealOf = (key: Buffer, what: Sealed): string => sealMac(key, sealText(what));
