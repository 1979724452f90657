import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, chmodSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Connection } from '../connection';
import { ensureDatabase, livePostgres, postgresAnswers, postgresCommand, preparePostgres, type PostgresHome } from '../postgres';
import { migrate } from '../schema-engine';

/** A real PostgreSQL for specs, in a directory of its own. */
export class TestPostgres {
  private child: ChildProcess | undefined;
  private databases = 0;
  private constructor(readonly home: PostgresHome) {}

  static async start(): Promise<TestPostgres> {
    const dir = mkdtempSync('/tmp/strata-pg-');
    chmodSync(dir, 0o711);
    const postgres = new TestPostgres(await preparePostgres(join(dir, 'pg')));
    await postgres.up();
    return postgres;
  }

  get connection(): Exclude<Connection, { url: string }> {
    return this.home.connection as Exclude<Connection, { url: string }>;
  }
  get pid(): number | undefined {
    return livePostgres(this.home);
  }

  /** Starts it (again) and waits until it answers. */
  async up(): Promise<void> {
    const { program, args, ...options } = postgresCommand(this.home);
    for (let tries = 0; tries < 300; tries += 1) {
      if (this.child === undefined || this.child.exitCode !== null || this.child.signalCode !== null)
        this.child = spawn(program, args, { ...options, stdio: 'ignore' });
      if (await postgresAnswers(this.connection)) return;
      await sleep(50);
    }
    throw new Error(`PostgreSQL in ${this.home.dir} does not answer after 15 s`);
  }

  /** Ends it (SIGINT: fast shutdown) and waits. */
  async down(signal: NodeJS.Signals = 'SIGINT'): Promise<void> {
    const child = this.child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await gone;
  }

  /** A fresh database with the whole schema. */
  async database(): Promise<Exclude<Connection, { url: string }>> {
    const template = { ...this.connection, database: 'strata_template' };
    if (this.databases === 0) {
      await ensureDatabase(template);
      await migrate(template);
    }
    const connection = { ...this.connection, database: `strata_${(this.databases += 1)}` };
    await ensureDatabase(connection, template.database);
    return connection;
  }

  /** Ends it and removes its directory. */
  async remove(): Promise<void> {
    await this.down();
    rmSync(join(this.home.dir, '..'), { recursive: true, force: true });
  }
}
