import { join } from 'node:path';
import { Client } from 'pg';

/** A person with the rights of a superuser on the server's PostgreSQL: what a stolen socket or a careless administrator could do. */
export class Sql {
  private constructor(private readonly client: Client) {}

  static async open(home: string): Promise<Sql> {
    const client = new Client({ host: join(home, 'pg/run'), user: 'strata', database: 'strata', statement_timeout: 30_000 });
    client.on('error', () => undefined); // the server may be killed under us
    await client.connect();
    return new Sql(client);
  }
  async rows<T extends object>(text: string, values: readonly unknown[] = []): Promise<T[]> {
    return (await this.client.query<T>(text, [...values])).rows;
  }
  /** Changes rows past every trigger. Gives how many were changed. */
  async force(text: string, values: readonly unknown[] = []): Promise<number> {
    await this.client.query('SET session_replication_role = replica');
    try {
      return (await this.client.query(text, [...values])).rowCount ?? 0;
    } finally {
      await this.client.query('SET session_replication_role = DEFAULT');
    }
  }
  close(): Promise<void> {
    return this.client.end();
  }
}
