import type { Action } from '@strata/model';
import type { Db } from './db';

export interface OutboxRow {
  orderId: string;
  attempt: number;
  epoch: number;
  runId: string;
  clusterId: string;
  stepKey: string;
  action: Action;
  target: 'node' | 'server';
  node: string | null;
}
export type OutboxKey = Pick<OutboxRow, 'orderId' | 'attempt' | 'epoch'>;

/** Orders that are released and not settled. `generation` names one life of the queue: rows of an older one must be added again. */
export class Outbox {
  constructor(private readonly db: Db) {}

  /** Rows that this generation of the queue has not got, oldest first. */
  unrelayed(generation: string, limit = 500): Promise<OutboxRow[]> {
    return this.db.run(
      (sql) => sql.$queryRaw<OutboxRow[]>`
        SELECT "order_id" AS "orderId", "attempt", "epoch", "run_id"::text AS "runId", "cluster_id"::text AS "clusterId", "step_key" AS "stepKey", "action", "target", "node"
        FROM "outbox" WHERE "relayed" IS DISTINCT FROM ${generation} ORDER BY "created_at" LIMIT ${limit}`,
    );
  }

  async markRelayed(keys: readonly OutboxKey[], generation: string): Promise<void> {
    if (keys.length === 0) return;
    const rows = JSON.stringify(keys.map(({ orderId, attempt, epoch }) => ({ order_id: orderId, attempt, epoch })));
    await this.db.run(
      (sql) => sql.$executeRaw`UPDATE "outbox" o SET "relayed" = ${generation}
        FROM jsonb_to_recordset(${rows}::jsonb) AS k("order_id" text, "attempt" int, "epoch" int)
        WHERE o."order_id" = k."order_id" AND o."attempt" = k."attempt" AND o."epoch" = k."epoch"`,
    );
  }

  /** The order is out and not settled. */
  async holds(key: OutboxKey): Promise<boolean> {
    const { orderId, attempt, epoch } = key;
    return (await this.db.run((sql) => sql.outbox.count({ where: { orderId, attempt, epoch } }))) > 0;
  }

  /** Removes rows without a settled event: orders of a run that was cancelled, or that another epoch replaced. */
  async drop(keys: readonly OutboxKey[]): Promise<void> {
    for (const { orderId, attempt, epoch } of keys) await this.db.run((sql) => sql.outbox.deleteMany({ where: { orderId, attempt, epoch } }));
  }

  /** Unsettled rows in all. */
  count(): Promise<number> {
    return this.db.run((sql) => sql.outbox.count());
  }
}
