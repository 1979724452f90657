import { persist } from './retry';
import type { Prisma, PrismaClient } from './gen/client';

/** What statements run on: the client, or a transaction of it. */
export type Sql = Prisma.TransactionClient;

/** A database to repositories: every call is repeated over restarts of PostgreSQL; inside a transaction nothing is, for the whole is. */
export class Db {
  private constructor(
    private readonly client: PrismaClient | undefined,
    private readonly tx: Sql | undefined,
  ) {}

  static over(client: PrismaClient): Db {
    return new Db(client, undefined);
  }

  get inTransaction(): boolean {
    return this.tx !== undefined;
  }

  /** One statement (or several that need not be atomic). */
  run<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    const { client, tx } = this;
    if (tx) return work(tx);
    return persist(() => work(client as PrismaClient));
  }

  /** All or nothing, read committed. Inside a transaction: a part of it. */
  atomic<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    const { client, tx } = this;
    if (tx) return work(tx);
    return persist(() => (client as PrismaClient).$transaction((sql) => work(sql), { maxWait: 10_000, timeout: 30_000, isolationLevel: 'ReadCommitted' }));
  }

  /** A view of this database whose calls all belong to one transaction. */
  transaction<T>(work: (db: Db) => Promise<T>): Promise<T> {
    return this.atomic((sql) => work(new Db(undefined, sql)));
  }
}

/** A string that PostgreSQL can hold: no NUL, no half of a surrogate pair. */
export function storable(text: string): string {
  return text.replace(/\0|[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g, '\uFFFD');
}

/** JSON text for a jsonb parameter. */
export function storableJson(value: unknown): string {
  return JSON.stringify(value, (_key, v: unknown) => (typeof v === 'string' ? storable(v) : v));
}

/** A value as a JSON column takes it. */
export function jsonColumn(value: unknown): Prisma.InputJsonValue {
  return JSON.parse(storableJson(value)) as Prisma.InputJsonValue;
}
