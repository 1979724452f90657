import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { poolConfig, type Connection } from './connection';
import { ensureDatabase } from './postgres';
import { migrate, prismaDirectory, schemaDiff } from './schema-engine';
import { TestPostgres } from './testing';

jest.setTimeout(60_000);
let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await TestPostgres.start();
});
afterAll(() => postgres?.remove());

async function query(connection: Connection, sql: string): Promise<unknown[]> {
  const client = new Client(poolConfig(connection));
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

test('the migrations lead to the schema, and a second call has nothing to do', async () => {
  const [migrated, fresh] = [
    { ...postgres.connection, database: 'migrated' },
    { ...postgres.connection, database: 'fresh' },
  ];
  await ensureDatabase(migrated);
  await ensureDatabase(fresh);
  expect((await migrate(migrated)).length).toBeGreaterThan(0);
  expect(await migrate(migrated)).toEqual([]);
  await query(fresh, await schemaDiff(undefined, readFileSync(join(prismaDirectory(), 'schema.prisma'), 'utf8')));
  const columns =
    "SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT LIKE '\\_prisma%' ORDER BY 1, 2";
  expect(await query(migrated, columns)).toEqual(await query(fresh, columns));
});

test('a database that cannot be reached is named', async () => {
  await expect(migrate({ host: '/nonexistent', user: 'strata', database: 'x' })).rejects.toThrow('/nonexistent (database x)');
});
