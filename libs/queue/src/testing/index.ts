import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findRedis, prepareRedis, redisCommand, redisPid, type RedisHome } from '../redis';

/** A real redis-server for specs, with our configuration, in a directory of its own. */
export class TestRedis {
  private child: ChildProcess | undefined;
  private constructor(
    private readonly root: string,
    readonly home: RedisHome,
  ) {}

  static async start(): Promise<TestRedis> {
    const root = mkdtempSync('/tmp/strata-redis-');
    chmodSync(root, 0o711);
    const redis = new TestRedis(root, prepareRedis(join(root, 'redis')));
    await redis.up();
    return redis;
  }

  get url(): string {
    return this.home.url;
  }

  /** Starts it (again) and waits until it answers. */
  async up(): Promise<void> {
    const found = findRedis();
    if (!found) throw new Error('no redis-server on this machine: apt-get install --no-install-recommends redis-server');
    const { program, args, ...options } = redisCommand(this.home, found);
    this.child = spawn(program, args, { ...options, stdio: 'ignore' });
    for (let tries = 0; tries < 200; tries += 1) {
      if (await redisPid(this.home)) return;
      await sleep(50);
    }
    throw new Error(`Redis in ${this.home.dir} does not answer after 10 s`);
  }

  async down(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await gone;
  }

  /** Ends it and removes its directory. */
  async remove(): Promise<void> {
    await this.down();
    rmSync(this.root, { recursive: true, force: true });
  }
}
