import { storableJson, type Db } from './db';

export interface NewLogLine {
  runId: string;
  stepKey: string;
  attempt: number;
  at: number; // ms
  stream: string; // stdout, stderr, task, ...
  text: string;
}
export type LogLineRecord = Omit<NewLogLine, 'runId'> & { id: number };

/** What steps print. Lines have ids that only grow and a retention; they are no part of the ledger. */
export class Logs {
  constructor(private readonly db: Db) {}

  /** Any number of lines in one statement. */
  async insert(lines: readonly NewLogLine[]): Promise<void> {
    if (lines.length === 0) return;
    const rows = storableJson(
      lines.map((l) => ({ run_id: l.runId, step_key: l.stepKey, attempt: l.attempt, at: new Date(l.at).toISOString(), stream: l.stream, text: l.text })),
    );
    await this.db.run(
      (sql) => sql.$executeRaw`INSERT INTO "log_line" ("run_id", "step_key", "attempt", "at", "stream", "text")
        SELECT "run_id", "step_key", "attempt", "at", "stream", "text" FROM ROWS FROM (jsonb_to_recordset(${rows}::jsonb)
          AS ("run_id" uuid, "step_key" text, "attempt" int, "at" timestamptz, "stream" text, "text" text)) WITH ORDINALITY ORDER BY "ordinality"`,
    );
  }

  /** Lines of a step after a cursor, oldest first; `next` is the cursor of the page after, the same as given when nothing came. */
  async read(ask: { runId: string; stepKey: string; after?: number; limit?: number }): Promise<{ lines: LogLineRecord[]; next: number }> {
    const { runId, stepKey, after = 0, limit = 1000 } = ask;
    const where = { runId, stepKey, id: { gt: BigInt(after) } };
    const rows = await this.db.run((sql) => sql.logLine.findMany({ where, orderBy: { id: 'asc' }, take: limit }));
    const lines = rows.map((row) => ({ id: Number(row.id), stepKey, attempt: row.attempt, at: row.at.getTime(), stream: row.stream, text: row.text }));
    return { lines, next: lines.at(-1)?.id ?? after };
  }

  /** Removes lines from before `before`; gives their number. */
  async prune(before: Date): Promise<number> {
    return (await this.db.run((sql) => sql.logLine.deleteMany({ where: { at: { lt: before } } }))).count;
  }
}
