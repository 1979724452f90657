import type { Db } from './db';

/** Numbers that only grow. */
export class Epochs {
  constructor(private readonly db: Db) {}

  /** The next number of this name; the first is 1. No two calls get the same one. */
  async next(name: string): Promise<number> {
    const rows = await this.db.run(
      (sql) =>
        sql.$queryRaw<{ value: number }[]>`INSERT INTO "epoch" ("name", "value") VALUES (${name}, 1)
        ON CONFLICT ("name") DO UPDATE SET "value" = "epoch"."value" + 1 RETURNING "value"`,
    );
    const value = rows[0]?.value;
    if (value === undefined) throw new Error(`PostgreSQL gave no epoch "${name}"`);
    return value;
  }

  /** The number last given; 0 before the first. */
  async current(name: string): Promise<number> {
    return (await this.db.run((sql) => sql.epoch.findUnique({ where: { name } })))?.value ?? 0;
  }
}
