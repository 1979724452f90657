import { Injectable } from '@nestjs/common';
import type { Action, Failure, OrderResult, Outcome } from '@strata/model';
import { secretRefs } from '@strata/run';
import { ClusterEdges } from '../clusters/cluster-edges';
import { RunBook } from '../runs/run-book';
import { Edges } from '../serve/edges';
import type { OutboxOrder } from './released-orders';

/** How an order ended, as it goes into the ledger. */
export interface Settlement {
  runId: string;
  step: string;
  orderId: string;
  attempt: number;
  epoch: number;
  outcome: Outcome;
  result: OrderResult;
}

/** Writes the end of an order into the ledger, once. The outbox row goes in the same transaction. */
@Injectable()
export class SettleOrder {
  constructor(
    private readonly edges: Edges,
    private readonly book: RunBook,
    private readonly clusters: ClusterEdges,
  ) {}

  /** Answers whether this was news. A settle of an attempt that is not the current one is kept as late evidence. */
  async run(end: Settlement): Promise<boolean> {
    let news = false;
    let minted = false;
    await this.book.record(end.runId, (view) => {
      const step = view.steps.get(end.step);
      news = false;
      if (!step) return [];
      minted = hasMinted(view.plan?.steps.find((s) => s.key === end.step)?.input);
      const same = step.orderId === end.orderId && step.attempt === end.attempt && step.epoch === end.epoch;
      const open = step.state === 'released' || step.state === 'running' || step.state === 'undoing';
      if (same && !open) return []; // settled already: the agent says it until it is acknowledged
      news = same;
      const action: Action = end.orderId.endsWith('.undo') ? 'undo' : end.orderId.endsWith('.check') ? 'check' : 'run';
      const body = { attempt: end.attempt, epoch: end.epoch, action, outcome: end.outcome, result: end.result, late: !same };
      return [{ kind: 'OrderSettled', step: end.step, node: nodeOf(end.step), body }];
    });
    if (minted)
      await this.clusters
        .dropMinted(end.orderId, end.attempt)
        .catch((error: unknown) => this.edges.log.warn({ err: error }, 'a bootstrap token could not be deleted; it expires by itself'));
    return news;
  }

  /** The server itself says no: nothing was sent to anybody. */
  refuse(order: OutboxOrder, failure: Failure): Promise<boolean> {
    return this.run({ ...order, outcome: 'refused', result: { findings: [], failure } });
  }
}

/** The node of a step's key; null for the cluster's own steps. */
export function nodeOf(step: string): string | null {
  const name = step.slice(0, step.indexOf('/'));
  return name === 'cluster' ? null : name;
}
/** Whether an order of this input comes with something that was minted for it. */
const hasMinted = (input: unknown): boolean => secretRefs(input).some((ref) => ref.$secret.startsWith('mint:'));

/** A plan or spec that is not what was sealed: nothing of it is carried out. */
export const tamperedFailure: Failure = {
  code: 'seal-broken',
  message: 'the plan, the spec or the ledger of this run is not what this server wrote and sealed',
  remedy: 'cancel this run and find out who changed the database; then apply again, which plans anew',
  cause: [],
  retry: false,
};
/** The name leads to another machine than when the plan was made: its steps are not for that one. */
export const otherNodeFailure = (name: string): Failure => ({
  code: 'other-node',
  message: `${name} is not the node any more for which this run was planned`,
  remedy: 'apply again, which plans anew; if nobody replaced that node, find out who changed the database',
  cause: [],
  retry: false,
});
