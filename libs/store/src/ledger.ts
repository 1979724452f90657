import type { NewEvent, RunEvent } from '@strata/model';
import { canonicalJson, parseEvent } from '@strata/model';
import type { Ledger, Release } from '@strata/run';
import { jsonColumn, storableJson, type Db, type Sql } from './db';
import { isDuplicate } from './retry';

interface Row {
  seq: number;
  at: Date;
  kind: string;
  step_key: string | null;
  node: string | null;
  body: unknown;
  mac: string;
}
/** The seal of a text, with a key that is in no database. */
export type Seal = (text: string) => string;
type Columns = { [key: string]: unknown };
const orderColumn = (event: RunEvent, name: 'attempt' | 'epoch'): unknown => (name in event.body ? (event.body as Columns)[name] : null);

/** What an event means for the run's row, which lists read. The ledger stays the truth: this is written in the same transaction. */
function rowChange({ kind, body, at }: RunEvent): Columns | undefined {
  const open = { result: null, ended_at: null };
  switch (kind) {
    case 'RunPlanned':
      return { ...open, state: 'running' };
    case 'RunResumed':
      return { ...open, state: 'running', because: '', epoch: body.epoch };
    case 'RunHeld':
      return { ...open, state: 'held', because: body.because };
    case 'UnwindStarted':
      return { ...open, state: 'unwinding', because: body.because };
    case 'RunEnded':
      return { state: 'ended', because: body.because, result: body.result, ended_at: new Date(at).toISOString() };
    default:
      return undefined;
  }
}

type Line = Pick<RunEvent, 'runId' | 'seq' | 'at' | 'kind' | 'step' | 'node'> & { body: unknown };
/** What the seal of a line covers: all of it, and its place. */
const sealedText = ({ runId, seq, at, kind, step, node, body }: Line): string => canonicalJson({ runId, seq, at, kind, step, node, body });

/** The ledger of all runs, in PostgreSQL. `clock` gives the time that events carry (ms); `seal` marks lines as this server's. */
export class PgLedger implements Ledger {
  private readonly broken = new Set<string>();

  constructor(
    private readonly db: Db,
    private readonly by: { clock: () => number; seal: Seal },
  ) {}

  /** Whether a line of this run that was read was not written by this server, or was changed since: nothing of such a run may be carried out. */
  isBroken(runId: string): boolean {
    return this.broken.has(runId);
  }

  async read(runId: string, afterSeq = 0): Promise<RunEvent[]> {
    const rows = await this.db.run(
      (sql) =>
        sql.$queryRaw<
          Row[]
        >`SELECT "seq", "at", "kind", "step_key", "node", "body", "mac" FROM "run_event" WHERE "run_id" = ${runId}::uuid AND "seq" > ${afterSeq} ORDER BY "seq"`,
    );
    return rows.flatMap((row) => {
      const line = { runId, seq: row.seq, at: row.at.getTime(), kind: row.kind as RunEvent['kind'], step: row.step_key, node: row.node, body: row.body };
      if (row.mac !== this.by.seal(sealedText(line))) this.broken.add(runId);
      const event = parseEvent(line);
      return event ? [event] : []; // written by a newer server
    });
  }

  /**
   * Appends in one statement, so in one round trip and one transaction: events, outbox rows of releases, the removal of settled ones, the
   * run's row, the end of its lease, and the notification `strata_run`. `false`: another came first; nothing was written.
   * After a connection lost in mid-commit the repeated call answers `false` if the first had arrived: fold again and decide.
   * Throws when the run does not exist.
   */
  async append(runId: string, expectedSeq: number, batch: { events: readonly NewEvent[]; releases?: readonly Release[] }): Promise<RunEvent[] | false> {
    if (batch.events.length === 0 && !batch.releases?.length) return [];
    const at = this.by.clock();
    const events = batch.events.map((e, i) => ({ ...e, runId, seq: expectedSeq + i + 1, at, step: e.step ?? null, node: e.node ?? null }));
    const batchOf = { runId, expectedSeq, events, releases: batch.releases ?? [], seal: this.by.seal };
    try {
      const { known, turns } = await this.db.run(async (sql) => {
        // A key conflict would spoil a transaction that this is a part of: there, appends of one run wait for each other.
        if (this.db.inTransaction) await sql.$queryRaw`SELECT 1 FROM "run" WHERE "id" = ${runId}::uuid FOR NO KEY UPDATE`;
        return write(sql, batchOf);
      });
      if (known === 0) throw new Error(`run ${runId} is not in the database: events are appended only to a run that was created`);
      return turns === 1 ? events : false;
    } catch (error) {
      if (isDuplicate(error)) return false; // both looked before either had written
      throw error;
    }
  }

  /** Runs that are not ended, oldest first. */
  async open(): Promise<{ runId: string; clusterId: string }[]> {
    const rows = await this.db.run((sql) => sql.run.findMany({ where: { state: { not: 'ended' } }, orderBy: { startedAt: 'asc' } }));
    return rows.map(({ id, clusterId }) => ({ runId: id, clusterId }));
  }
}

interface Batch {
  runId: string;
  expectedSeq: number;
  events: readonly RunEvent[];
  releases: readonly Release[];
  seal: Seal;
}
async function write(sql: Sql, { runId, expectedSeq, events, releases, seal }: Batch): Promise<{ known: number; turns: number }> {
  const lines = events.map((e) => ({
    ...{ seq: e.seq, at: new Date(e.at).toISOString(), kind: e.kind, step_key: e.step, node: e.node, body: e.body },
    ...{ epoch: orderColumn(e, 'epoch'), attempt: orderColumn(e, 'attempt') },
    mac: seal(sealedText({ ...e, body: jsonColumn(e.body) })),
  }));
  const orders = releases.map(({ orderId, step, ...release }) => ({ order_id: orderId, step_key: step, ...release }));
  const settled = events.flatMap((e) => {
    if (e.kind !== 'OrderSettled' || e.body.late) return [];
    const { attempt, epoch, action } = e.body;
    return [{ step_key: e.step, attempt, epoch, action }];
  });
  const change = rowChanges(events);
  const rows = await sql.$queryRaw<{ known: number; turns: number }[]>`
    WITH "this" AS (
      SELECT "cluster_id" FROM "run" WHERE "id" = ${runId}::uuid
    ), "turn" AS (
      SELECT "cluster_id" FROM "this" WHERE (SELECT coalesce(max("seq"), 0) FROM "run_event" WHERE "run_id" = ${runId}::uuid) = ${expectedSeq}
    ), "lines" AS (
      INSERT INTO "run_event" ("run_id", "seq", "at", "kind", "step_key", "epoch", "attempt", "node", "body", "mac")
      SELECT ${runId}::uuid, e.* FROM "turn", jsonb_to_recordset(${storableJson(lines)}::jsonb)
        AS e("seq" int, "at" timestamptz, "kind" text, "step_key" text, "epoch" int, "attempt" int, "node" text, "body" jsonb, "mac" text)
    ), "released" AS (
      INSERT INTO "outbox" ("run_id", "cluster_id", "order_id", "attempt", "epoch", "step_key", "action", "target", "node")
      SELECT ${runId}::uuid, "turn"."cluster_id", o.* FROM "turn", jsonb_to_recordset(${storableJson(orders)}::jsonb)
        AS o("order_id" text, "attempt" int, "epoch" int, "step_key" text, "action" text, "target" text, "node" text)
      ON CONFLICT ("order_id", "attempt", "epoch") DO UPDATE SET "run_id" = excluded."run_id", "cluster_id" = excluded."cluster_id",
        "step_key" = excluded."step_key", "action" = excluded."action", "target" = excluded."target", "node" = excluded."node", "relayed" = NULL
    ), "settled" AS (
      DELETE FROM "outbox" o USING "turn", jsonb_to_recordset(${storableJson(settled)}::jsonb) AS s("step_key" text, "attempt" int, "epoch" int, "action" text)
      WHERE o."run_id" = ${runId}::uuid AND o."step_key" = s."step_key" AND o."attempt" = s."attempt" AND o."epoch" = s."epoch" AND o."action" = s."action"
    ), "kept" AS (
      UPDATE "run" r SET "state" = c."state", "because" = coalesce(c."because", r."because"), "epoch" = coalesce(c."epoch", r."epoch"),
        "result" = c."result", "ended_at" = c."ended_at"
      FROM "turn", jsonb_to_recordset(${storableJson(change)}::jsonb) AS c("state" text, "because" text, "epoch" int, "result" text, "ended_at" timestamptz)
      WHERE r."id" = ${runId}::uuid
    ), "freed" AS (
      DELETE FROM "cluster_lease" USING "turn" WHERE "run_id" = ${runId}::uuid AND ${change.some((c) => c.state === 'ended')}
    )
    SELECT (SELECT count(*) FROM "this")::int AS "known", (SELECT count(*) FROM "turn")::int AS "turns",
      CASE WHEN EXISTS (SELECT 1 FROM "turn") THEN pg_notify('strata_run', ${runId})::text END AS "told"`;
  return rows[0] ?? { known: 0, turns: 0 };
}

/** What the events of a batch, taken together, make of the run's row: none or one change. */
function rowChanges(events: readonly RunEvent[]): Columns[] {
  const changes = events.flatMap((e): Columns[] => [rowChange(e) ?? []].flat());
  return changes.length === 0 ? [] : [changes.reduce<Columns>((all, one) => ({ ...all, ...one }), {})];
}
