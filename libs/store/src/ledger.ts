import type { NewEvent, RunEvent } from '@strata/model';
import { parseEvent } from '@strata/model';
import type { Ledger, Release } from '@strata/run';
import { storable, storableJson, type Db, type Sql } from './db';

interface Row {
  seq: number;
  at: Date;
  kind: string;
  step_key: string | null;
  node: string | null;
  body: unknown;
}
type Columns = { [key: string]: unknown };
const orderColumn = (event: NewEvent, name: 'attempt' | 'epoch'): unknown => (name in event.body ? (event.body as Columns)[name] : null);

/** What an event means for the run's row, which lists read. The ledger stays the truth: this is written in the same transaction. */
function rowChange(event: NewEvent): Columns | undefined {
  switch (event.kind) {
    case 'RunPlanned':
      return { state: 'running' };
    case 'RunResumed':
      return { state: 'running', because: '', resumed: true, epoch: event.body.epoch };
    case 'RunHeld':
      return { state: 'held', because: storable(event.body.because) };
    case 'UnwindStarted':
      return { state: 'unwinding', because: storable(event.body.because) };
    case 'RunEnded':
      return { state: 'ended', because: storable(event.body.because), result: event.body.result };
    default:
      return undefined;
  }
}

/** The ledger of all runs, in PostgreSQL. `clock` gives the time that events carry (ms). */
export class PgLedger implements Ledger {
  constructor(
    private readonly db: Db,
    private readonly clock: () => number,
  ) {}

  async read(runId: string, afterSeq = 0): Promise<RunEvent[]> {
    const rows = await this.db.run(
      (sql) =>
        sql.$queryRaw<
          Row[]
        >`SELECT "seq", "at", "kind", "step_key", "node", "body" FROM "run_event" WHERE "run_id" = ${runId}::uuid AND "seq" > ${afterSeq} ORDER BY "seq"`,
    );
    return rows.flatMap((row) => {
      const event = parseEvent({ runId, seq: row.seq, at: row.at.getTime(), kind: row.kind, step: row.step_key, node: row.node, body: row.body });
      return event ? [event] : []; // written by a newer server
    });
  }

  /**
   * Appends in one transaction: events, outbox rows of releases, the removal of settled ones, the run's row, the end of its lease, and the
   * notification `strata_run`. Appends of one run wait for each other on its row. `false`: another came first; nothing was written.
   * After a connection lost in mid-commit the repeated call answers `false` if the first had arrived: fold again and decide.
   * Throws when the run does not exist.
   */
  async append(runId: string, expectedSeq: number, batch: { events: readonly NewEvent[]; releases?: readonly Release[] }): Promise<RunEvent[] | false> {
    if (batch.events.length === 0 && !batch.releases?.length) return [];
    const at = this.clock();
    const events = batch.events.map((e, i) => ({ ...e, runId, seq: expectedSeq + i + 1, at, step: e.step ?? null, node: e.node ?? null }));
    const written = await this.db.atomic(async (sql) => {
      const run = await sql.$queryRaw<{ cluster_id: string }[]>`SELECT "cluster_id"::text FROM "run" WHERE "id" = ${runId}::uuid FOR NO KEY UPDATE`;
      const clusterId = run[0]?.cluster_id;
      if (clusterId === undefined) throw new Error(`run ${runId} is not in the database: events are appended only to a run that was created`);
      const last = await sql.$queryRaw<{ seq: number }[]>`SELECT coalesce(max("seq"), 0)::int AS "seq" FROM "run_event" WHERE "run_id" = ${runId}::uuid`;
      if (last[0]?.seq !== expectedSeq) return false;
      await insertEvents(sql, runId, events);
      await this.keepOutbox(sql, { runId, clusterId, events, releases: batch.releases ?? [] });
      await keepRow(sql, runId, events);
      await sql.$queryRaw`SELECT pg_notify('strata_run', ${runId})::text`;
      return true;
    });
    return written ? events : false;
  }

  /** Runs that are not ended, oldest first. */
  async open(): Promise<{ runId: string; clusterId: string }[]> {
    const rows = await this.db.run((sql) => sql.run.findMany({ where: { state: { not: 'ended' } }, orderBy: { startedAt: 'asc' } }));
    return rows.map(({ id, clusterId }) => ({ runId: id, clusterId }));
  }

  private async keepOutbox(
    sql: Sql,
    { runId, clusterId, events, releases }: { runId: string; clusterId: string; events: readonly RunEvent[]; releases: readonly Release[] },
  ): Promise<void> {
    if (releases.length > 0) {
      const data = releases.map(({ step, ...release }) => ({ ...release, runId, clusterId, stepKey: step }));
      await sql.outbox.createMany({ data, skipDuplicates: true });
    }
    for (const event of events) {
      if (event.kind !== 'OrderSettled' || event.body.late) continue;
      const { attempt, epoch, action } = event.body;
      await sql.outbox.deleteMany({ where: { runId, stepKey: event.step ?? '', action, attempt, epoch } });
    }
  }
}

async function insertEvents(sql: Sql, runId: string, events: readonly RunEvent[]): Promise<void> {
  if (events.length === 0) return;
  const rows = storableJson(
    events.map((e) => ({
      seq: e.seq,
      at: new Date(e.at).toISOString(),
      kind: e.kind,
      step_key: e.step,
      epoch: orderColumn(e, 'epoch'),
      attempt: orderColumn(e, 'attempt'),
      node: e.node,
      body: e.body,
    })),
  );
  await sql.$executeRaw`
    INSERT INTO "run_event" ("run_id", "seq", "at", "kind", "step_key", "epoch", "attempt", "node", "body")
    SELECT ${runId}::uuid, * FROM jsonb_to_recordset(${rows}::jsonb)
      AS e("seq" int, "at" timestamptz, "kind" text, "step_key" text, "epoch" int, "attempt" int, "node" text, "body" jsonb)`;
}

async function keepRow(sql: Sql, runId: string, events: readonly RunEvent[]): Promise<void> {
  const change = events.map(rowChange).reduce<Columns>((all, one) => ({ ...all, ...one }), {});
  if (change.state === undefined) return;
  const last = events.at(-1);
  const ended = change.state === 'ended' && last ? new Date(last.at) : null;
  const { resumed: _resumed, result, ...rest } = change;
  await sql.run.update({ where: { id: runId }, data: { ...rest, result: ended ? String(result) : null, endedAt: ended } });
  if (ended) await sql.clusterLease.deleteMany({ where: { runId } });
}
