import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { TestPostgres } from '@strata/store/testing';
import { TestRedis } from '@strata/queue/testing';
import type { Edges } from '../serve/edges';
import { serve, type Serving } from '../serve/serve';
import type { Settings } from '../settings';

export interface Answer {
  status: number;
  body: unknown;
}

/** A whole control server in this process, on free ports, with its own PostgreSQL and Redis. */
export class TestServer {
  serving!: Serving;
  private constructor(
    readonly settings: Settings,
    readonly postgres: TestPostgres,
    readonly redis: TestRedis,
  ) {}

  static async start(change: Partial<Settings> = {}): Promise<TestServer> {
    const [postgres, redis] = await Promise.all([TestPostgres.start(), TestRedis.start()]);
    const home = mkdtempSync('/tmp/strata-server-');
    chmodSync(home, 0o711);
    writeFileSync(join(home, 'agent'), 'not a program, only bytes to hand out');
    const at = { host: '127.0.0.1', port: 0 };
    const settings: Settings = {
      ...{ home, advertise: ['127.0.0.1'], database: await postgres.database(), redis: { url: redis.url } },
      listen: { api: at, agents: at, enrollment: at, artifacts: at },
      ...{
        agentFile: join(home, 'agent'),
        catalogDir: join(home, 'catalog'),
        bundleDir: join(home, 'bundles'),
        pushedDir: join(home, 'pushed-bundles'),
        artifactDir: join(home, 'artifacts'),
      },
      ...{ mirrorDirs: [], logLevel: process.env.TEST_LOG ?? 'silent' },
      ...change,
    };
    const server = new TestServer(settings, postgres, redis);
    await server.up();
    return server;
  }

  /** Starts it, or starts it again on the same home. */
  async up(): Promise<void> {
    this.serving = await serve(this.settings, (because) => {
      throw new Error(because);
    });
  }
  async down(): Promise<void> {
    await this.serving.stop();
  }
  get edges(): Edges {
    return this.serving.edges;
  }
  get token(): string {
    return readFileSync(join(this.settings.home, 'secrets/admin.token'), 'utf8').trim();
  }
  get ca(): Buffer {
    return readFileSync(join(this.settings.home, 'secrets/ca.pem'));
  }

  /** One call of the API. `token` null: without one. */
  call(method: string, path: string, with_: { body?: unknown; headers?: Record<string, string>; token?: string | null } = {}): Promise<Answer> {
    const token = with_.token === undefined ? this.token : with_.token;
    const headers = { 'content-type': 'application/json', ...(token === null ? {} : { authorization: `Bearer ${token}` }), ...with_.headers };
    return new Promise((resolve, reject) => {
      const out = request({ host: '127.0.0.1', port: this.serving.ports.api, method, path, headers, ca: this.ca, agent: false }, (answer) => {
        const parts: Buffer[] = [];
        answer.on('data', (part: Buffer) => parts.push(part));
        answer.on('end', () => {
          const text = Buffer.concat(parts).toString('utf8');
          resolve({ status: answer.statusCode ?? 0, body: text === '' ? undefined : parsed(text) });
        });
      });
      out.on('error', reject);
      out.end(with_.body === undefined ? undefined : JSON.stringify(with_.body));
    });
  }

  async remove(): Promise<void> {
    await this.down();
    await this.redis.remove();
    await this.postgres.remove();
    rmSync(this.settings.home, { recursive: true, force: true });
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
