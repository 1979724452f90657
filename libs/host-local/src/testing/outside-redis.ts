import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { freePort, OutsideDatabase, setting } from './outside-database';

const adminPassword = 'an-administrator';

/** A Redis of somebody else's: TLS only, users only. */
export class OutsideRedis extends OutsideDatabase {
  private constructor(address: string, port: number, policy: string) {
    super(address, port);
    const [key, cert] = ['key', 'cert'].map((name) => join(this.dir, `${name}.pem`));
    const tls = `port 0\ntls-port ${port}\nbind ${address}\ntls-cert-file ${cert}\ntls-key-file ${key}\ntls-ca-cert-file ${cert}\ntls-auth-clients no\n`;
    const users = `user default off\nuser admin on >${adminPassword} ~* &* +@all\n`;
    setting(join(this.dir, 'redis.conf'), `${tls}dir ${this.data}\nappendonly yes\nmaxmemory-policy ${policy}\n${users}`);
  }
  static async up(address: string, { policy = 'noeviction' }: { policy?: string } = {}): Promise<OutsideRedis> {
    const redis = new OutsideRedis(address, await freePort(address), policy);
    await redis.start();
    return redis;
  }
  protected get command(): [string, ...string[]] {
    return ['/usr/bin/redis-server', join(this.dir, 'redis.conf')];
  }
  protected async answers(): Promise<boolean> {
    return (await this.ask(0, (redis) => redis.ping())) === 'PONG';
  }

  url(user: string, database: number): string {
    return `rediss://${user}@${this.address}:${this.port}/${database}`;
  }
  /** As its administrator. */
  async ask<T>(database: number, what: (redis: Redis) => Promise<T>): Promise<T> {
    const tls = { ca: readFileSync(join(this.dir, 'cert.pem')) };
    const redis = new Redis({ host: this.address, port: this.port, tls, username: 'admin', password: adminPassword, db: database, lazyConnect: true, retryStrategy: () => null });
    redis.on('error', () => undefined);
    try {
      await redis.connect();
      return await what(redis);
    } finally {
      redis.disconnect();
    }
  } // prettier-ignore
  /** A user for metadata: all keys, without the dangerous commands. `rights` beside those. */
  async user(name: string, password: string, rights: readonly string[] = ['+info']): Promise<void> {
    await this.ask(0, (redis) => redis.call('ACL', 'SETUSER', name, 'reset', 'on', `>${password}`, '~*', '&*', '+@all', '-@dangerous', '-@admin', ...rights));
  }
}
