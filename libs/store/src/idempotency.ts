import { jsonColumn, type Db } from './db';

/** first: do it and `finish`; answered: give this answer again; running: another call does it now; mismatch: the key was used for another body. */
export type Claim = { state: 'first' } | { state: 'answered'; status: number; response: unknown } | { state: 'running' } | { state: 'mismatch' };

/** Answers by `Idempotency-Key`: the same key twice does its work once. */
export class Idempotency {
  constructor(private readonly db: Db) {}

  async claim({ route, key, bodyHash }: { route: string; key: string; bodyHash: string }): Promise<Claim> {
    return this.db.atomic(async (sql): Promise<Claim> => {
      const made = await sql.idempotencyKey.createMany({ data: [{ route, key, bodyHash }], skipDuplicates: true });
      if (made.count === 1) return { state: 'first' };
      const row = await sql.idempotencyKey.findUnique({ where: { route_key: { route, key } } });
      if (!row) return { state: 'running' }; // abandoned this instant: ask again
      if (row.bodyHash !== bodyHash) return { state: 'mismatch' };
      return row.status === 0 ? { state: 'running' } : { state: 'answered', status: row.status, response: row.response };
    });
  }

  async finish({ route, key, status, response }: { route: string; key: string; status: number; response: unknown }): Promise<void> {
    await this.db.run((sql) => sql.idempotencyKey.update({ where: { route_key: { route, key } }, data: { status, response: jsonColumn(response ?? null) } }));
  }

  /** The work failed in a way that may be tried again with the same key. */
  async abandon(route: string, key: string): Promise<void> {
    await this.db.run((sql) => sql.idempotencyKey.deleteMany({ where: { route, key, status: 0 } }));
  }

  /** At server start: claims of the server before, and answers older than `before`. */
  async sweep(before: Date): Promise<void> {
    await this.db.run((sql) => sql.idempotencyKey.deleteMany({ where: { OR: [{ status: 0 }, { createdAt: { lt: before } }] } }));
  }
}
