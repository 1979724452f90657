import { jsonColumn, type Db } from './db';

export interface AuditEntry {
  by: string;
  action: string; // cluster.apply, run.cancel, node.add, ...
  object: string; // what it was done to: `cluster/home`
  body: unknown; // details, without secrets
}

/** Who changed what. Append-only; write it through the `Work` of the transaction that makes the change. */
export class Audit {
  constructor(private readonly db: Db) {}

  async record(entry: AuditEntry): Promise<void> {
    await this.db.run((sql) => sql.audit.create({ data: { ...entry, body: jsonColumn(entry.body ?? null) } }));
  }

  /** Newest first, below the cursor. */
  async list({ before, limit = 100 }: { before?: number; limit?: number } = {}): Promise<(AuditEntry & { id: number; at: Date })[]> {
    const where = before === undefined ? {} : { id: { lt: BigInt(before) } };
    const rows = await this.db.run((sql) => sql.audit.findMany({ where, orderBy: { id: 'desc' }, take: limit }));
    return rows.map((row) => ({ ...row, id: Number(row.id) }));
  }
}
