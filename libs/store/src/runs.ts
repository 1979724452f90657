import { RunIntent, RunResult } from '@strata/model';
import { jsonColumn, type Db } from './db';
import type { RunModel } from './gen/models';

export interface StepCounts {
  total: number;
  done: number;
  changed: number;
  failed: number;
}
export interface RunRecord {
  id: string;
  clusterId: string;
  intent: RunIntent;
  state: 'checking' | 'running' | 'held' | 'unwinding' | 'ended';
  result: RunResult | null;
  because: string;
  epoch: number;
  specVersion: number;
  planSeal: string | null;
  steps: StepCounts;
  startedAt: Date;
  endedAt: Date | null;
}
const none: StepCounts = { total: 0, done: 0, changed: 0, failed: 0 };
const record = ({ summary, ...row }: RunModel): RunRecord => ({
  ...row,
  intent: RunIntent.parse(row.intent),
  state: row.state as RunRecord['state'],
  result: row.result === null ? null : RunResult.parse(row.result),
  steps: { ...none, ...(summary as Partial<StepCounts> | null) },
});

/** The rows of runs, for lists. State, result and end are kept by the ledger's `append`. */
export class Runs {
  constructor(private readonly db: Db) {}

  /** A run that begins: its first event is appended with expected sequence 0. */
  async create(run: { id: string; clusterId: string; intent: RunIntent; epoch: number; specVersion: number }): Promise<RunRecord> {
    return record(await this.db.run((sql) => sql.run.create({ data: { ...run, intent: jsonColumn(run.intent) } })));
  }

  async find(runId: string): Promise<RunRecord | null> {
    const found = await this.db.run((sql) => sql.run.findUnique({ where: { id: runId } }));
    return found && record(found);
  }

  /** Newest first, of these kinds only if any are named; `next` is the cursor of the next page, null at the end. */
  async list(of: {
    clusterId?: string;
    kinds?: readonly RunIntent['kind'][];
    cursor?: string;
    limit?: number;
  }): Promise<{ runs: RunRecord[]; next: string | null }> {
    const { clusterId, kinds, cursor, limit = 50 } = of;
    const rows = await this.db.run((sql) =>
      sql.run.findMany({
        where: { ...(clusterId && { clusterId }), ...(kinds && { OR: kinds.map((kind) => ({ intent: { path: ['kind'], equals: kind } })) }) },
        orderBy: [{ startedAt: 'desc' }, { id: 'desc' }],
        take: limit + 1,
        ...(cursor === undefined ? {} : { cursor: { id: cursor } }),
      }),
    );
    return { runs: rows.slice(0, limit).map(record), next: rows[limit]?.id ?? null };
  }

  /** Whether more than looks was asked of a cluster: a run that is no dry one and does not end with its prechecks. */
  async anyBeyondLooks(clusterId: string): Promise<boolean> {
    const where = { clusterId, intent: { path: ['dryRun'], equals: false } };
    const rows = await this.db.run((sql) => sql.run.findMany({ where, select: { intent: true } }));
    return rows.some(({ intent }) => RunIntent.parse(intent).until !== 'precheck');
  }

  /** The MAC over plan and spec that no order passes without. */
  async seal(runId: string, planSeal: string): Promise<void> {
    await this.db.run((sql) => sql.run.update({ where: { id: runId }, data: { planSeal } }));
  }

  async recordCounts(runId: string, steps: StepCounts): Promise<void> {
    await this.db.run((sql) => sql.run.update({ where: { id: runId }, data: { summary: jsonColumn(steps) } }));
  }
}
