import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { PrismaPg } from '@prisma/adapter-pg';
import { bindMigrationAwareSqlAdapterFactory } from '@prisma/driver-adapter-utils';
import { Pool } from 'pg';
import { describeConnection, poolConfig, type Connection } from './connection';

/** What we use of Prisma's schema engine, whose package declares no types. */
interface SchemaEngine {
  applyMigrations(ask: object): Promise<{ appliedMigrationNames: string[] }>;
  diff(ask: object): Promise<{ stdout: string }>;
  free(): void;
}
interface Glue extends Record<string, unknown> {
  __wbg_set_wasm(exports: object): void;
  SchemaEngine: { new: (options: object, log: () => void, adapters: unknown) => Promise<SchemaEngine> };
}
declare const WebAssembly: { instantiate(wasm: Uint8Array, imports: object): Promise<{ instance: { exports: { __wbindgen_start(): void } } }> };

/** `diff` asks one question (does the schema exist, which version) and then works on the texts alone. */
const offline = {
  provider: 'postgres',
  adapterName: '@prisma/adapter-pg',
  connectToShadowDb: () => Promise.reject(new Error('a diff of two texts asks no shadow database')),
  connect: () =>
    Promise.resolve({
      provider: 'postgres',
      adapterName: '@prisma/adapter-pg',
      getConnectionInfo: () => ({ schemaName: 'public', supportsRelationJoins: true }),
      dispose: () => Promise.resolve(),
      queryRaw: () =>
        Promise.resolve({ columnNames: ['exists', 'version', 'numeric_version'], columnTypes: [5, 7, 0], rows: [[true, 'PostgreSQL 15.0', 150000]] }),
      executeRaw: () => Promise.resolve(0),
      executeScript: () => Promise.resolve(),
      startTransaction: () => Promise.reject(new Error('a diff of two texts asks no database')),
    }),
};

let glue: Promise<Glue> | undefined; // once per process: the glue keeps module-level memory views, a second instance corrupts them
async function load(): Promise<Glue> {
  const require = createRequire(__filename);
  const path = require.resolve('@prisma/schema-engine-wasm/schema_engine_bg');
  const bindings = require(path) as Glue;
  const imports: Record<string, unknown> = { ...bindings };
  // The engine never clears the time-out of its advisory lock (10 s): unref it, or every process lives 10 s longer.
  for (const name of Object.keys(bindings).filter((n) => n.startsWith('__wbg_setTimeout_')))
    imports[name] = (f: () => void, ms: number) => setTimeout(f, ms >>> 0).unref();
  const { instance } = await WebAssembly.instantiate(readFileSync(path.replace(/\.js$/, '.wasm')), { './schema_engine_bg.js': imports });
  bindings.__wbg_set_wasm(instance.exports);
  instance.exports.__wbindgen_start();
  return bindings;
}

/** The adapter, but for its `executeScript`, which cuts scripts at every ";" (also inside a function's body): PostgreSQL itself takes a whole script. */
function online(pool: Pool): PrismaPg {
  const factory = new PrismaPg(pool);
  const connect = factory.connect.bind(factory);
  factory.connect = async () => {
    const adapter = await connect();
    adapter.executeScript = async (script) => {
      await pool.query(script);
    };
    return adapter;
  };
  return factory;
}

async function withEngine<T>(pool: Pool | undefined, schema: string, work: (engine: SchemaEngine) => Promise<T>): Promise<T> {
  const { SchemaEngine } = await (glue ??= load());
  const adapters = bindMigrationAwareSqlAdapterFactory((pool ? online(pool) : offline) as never);
  const engine = await SchemaEngine.new({ datamodels: [['schema.prisma', schema]] }, () => undefined, adapters);
  try {
    return await work(engine);
  } finally {
    engine.free();
  }
}

/** The folder `prisma/` of this installation: beside the sources, or beside the bundles. */
export function prismaDirectory(): string {
  for (let dir = __dirname; dir !== dirname(dir); dir = dirname(dir)) {
    if (existsSync(join(dir, 'prisma/migrations/migration_lock.toml'))) return join(dir, 'prisma');
  }
  throw new Error(`no folder prisma/migrations above ${__dirname}: the installation is incomplete, copy prisma/ beside apps/`);
}

const filters = { externalTables: [], externalEnums: [] };
function migrationsList(directory: string): object {
  const names = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const file = (name: string): object => ({
    path: 'migration.sql',
    content: { tag: 'ok', value: readFileSync(join(directory, name, 'migration.sql'), 'utf8') },
  });
  return {
    baseDir: directory,
    shadowDbInitScript: '',
    lockfile: { path: './migration_lock.toml', content: readFileSync(join(directory, 'migration_lock.toml'), 'utf8') },
    migrationDirectories: names
      .map((entry) => entry.name)
      .sort()
      .map((name) => ({ path: name, migrationFile: file(name) })),
  };
}

/**
 * Brings the database to the newest migration, as `prisma migrate deploy` would (same table, same checksums). Returns the names applied.
 * Throws when the database cannot be reached or a migration fails; a failed one leaves its mark and is refused until resolved.
 */
export async function migrate(connection: Connection, directory = prismaDirectory()): Promise<string[]> {
  const pool = new Pool({ ...poolConfig(connection, 'strata-migrate'), statement_timeout: 600_000, max: 1 }); // its own pool: ending it gives the engine's advisory lock back at once
  pool.on('error', () => undefined); // the statement that meets the loss reports it
  try {
    const schema = readFileSync(join(directory, 'schema.prisma'), 'utf8');
    return await withEngine(pool, schema, async (engine) => {
      const applied = await engine.applyMigrations({ migrationsList: migrationsList(join(directory, 'migrations')), filters });
      return applied.appliedMigrationNames;
    });
  } catch (cause) {
    throw new Error(`migrating the database at ${describeConnection(connection)} failed: ${String(cause)}; nothing runs until its cause is gone`, { cause });
  } finally {
    await pool.end();
  }
}

/** SQL that leads from one schema text to another (`undefined`: from nothing). Touches no database. */
export async function schemaDiff(from: string | undefined, to: string): Promise<string> {
  const text = (path: string, content: string): object => ({ tag: 'schemaDatamodel', files: [{ path, content }] });
  return withEngine(undefined, to, async (engine) => {
    const ask = { from: from === undefined ? { tag: 'empty' } : text('a.prisma', from), to: text('b.prisma', to), script: true, exitCode: true, filters };
    return (await engine.diff(ask)).stdout;
  });
}
