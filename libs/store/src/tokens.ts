import type { ApiRole, Role } from '@strata/model';
import type { Db } from './db';

export interface ApiTokenRecord {
  hash: string;
  name: string;
  role: ApiRole;
}

/** Bearer tokens of people and programs; only hashes are here. */
export class ApiTokens {
  constructor(private readonly db: Db) {}

  async add(token: ApiTokenRecord): Promise<void> {
    await this.db.run((sql) =>
      sql.apiToken.upsert({ where: { hash: token.hash }, create: token, update: { name: token.name, role: token.role, revokedAt: null } }),
    );
  }

  /** The live token of this hash. */
  async find(hash: string): Promise<ApiTokenRecord | null> {
    const found = await this.db.run((sql) => sql.apiToken.findFirst({ where: { hash, revokedAt: null } }));
    return found && { hash, name: found.name, role: found.role as ApiRole };
  }

  /** Whether any live token of that role is left. */
  async any(role: ApiRole): Promise<boolean> {
    return (await this.db.run((sql) => sql.apiToken.count({ where: { role, revokedAt: null } }))) > 0;
  }

  async revoke(name: string): Promise<number> {
    return (await this.db.run((sql) => sql.apiToken.updateMany({ where: { name, revokedAt: null }, data: { revokedAt: new Date() } }))).count;
  }
}

export interface EnrollTokenRecord {
  hash: string;
  clusterId: string;
  nodeId: string;
  role: Role;
  expiresAt: Date;
}
export type TokenUse = { ok: true; token: EnrollTokenRecord } | { ok: false; because: 'unknown' | 'used' | 'expired' };

/** One-time tokens that make a stranger a node; only hashes are here. */
export class EnrollTokens {
  constructor(private readonly db: Db) {}

  async add(token: EnrollTokenRecord): Promise<void> {
    await this.db.run((sql) => sql.enrollToken.create({ data: token }));
  }

  /** Spends the token: of any number of calls with one hash exactly one is ok. */
  use(hash: string, now: Date): Promise<TokenUse> {
    return this.db.atomic(async (sql) => {
      const { count } = await sql.enrollToken.updateMany({ where: { hash, usedAt: null, expiresAt: { gt: now } }, data: { usedAt: now } });
      const row = await sql.enrollToken.findUnique({ where: { hash } });
      if (!row) return { ok: false, because: 'unknown' };
      if (count === 0) return { ok: false, because: row.usedAt ? 'used' : 'expired' };
      return { ok: true, token: { hash, clusterId: row.clusterId, nodeId: row.nodeId, role: row.role as Role, expiresAt: row.expiresAt } };
    });
  }

  /** Takes back what was not used: a newer token for the node, or a removed node. */
  async revoke(nodeId: string): Promise<void> {
    await this.db.run((sql) => sql.enrollToken.deleteMany({ where: { nodeId, usedAt: null } }));
  }
}

export interface MintedTokenRecord {
  orderId: string;
  attempt: number;
  clusterId: string;
  node: string;
  tokenId: string;
  value: string; // sealed
}

/** Bootstrap tokens that exist in a cluster for one attempt of one order. */
export class MintedTokens {
  constructor(private readonly db: Db) {}

  /** Keeps the first token of an attempt; a second call gets the one that is there. */
  keep(token: MintedTokenRecord): Promise<MintedTokenRecord> {
    return this.db.atomic(async (sql) => {
      await sql.mintedToken.createMany({ data: [token], skipDuplicates: true });
      const { createdAt: _createdAt, ...kept } = await sql.mintedToken.findUniqueOrThrow({
        where: { orderId_attempt: { orderId: token.orderId, attempt: token.attempt } },
      });
      return kept;
    });
  }

  async find(orderId: string, attempt: number): Promise<MintedTokenRecord | null> {
    const found = await this.db.run((sql) => sql.mintedToken.findUnique({ where: { orderId_attempt: { orderId, attempt } } }));
    if (!found) return null;
    const { createdAt: _createdAt, ...token } = found;
    return token;
  }

  /** All that still exist: each must be deleted in its cluster once its order is settled. */
  async list(clusterId: string): Promise<MintedTokenRecord[]> {
    const rows = await this.db.run((sql) => sql.mintedToken.findMany({ where: { clusterId } }));
    return rows.map(({ createdAt: _createdAt, ...token }) => token);
  }

  async remove(orderId: string, attempt: number): Promise<void> {
    await this.db.run((sql) => sql.mintedToken.deleteMany({ where: { orderId, attempt } }));
  }
}
