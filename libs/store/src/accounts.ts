import type { ApiRole } from '@strata/model';
import type { Db } from './db';

export interface AccountRecord {
  name: string;
  role: ApiRole;
  invitedBy: string;
  invitedAt: Date;
  /** Until when the link that is out can be used; null: none is. */
  codeExpiresAt: Date | null;
  setUpAt: Date | null;
}
export interface Invited {
  name: string;
  role: ApiRole;
  invitedBy: string;
  invitedAt: Date;
  codeHash: string;
  codeExpiresAt: Date;
}

/** Who may use the server, and the one-time links that are out; of a link only its hash is here. */
export class Accounts {
  constructor(private readonly db: Db) {}

  /** By name. */
  async list(): Promise<AccountRecord[]> {
    return (await this.db.run((sql) => sql.account.findMany({ orderBy: { name: 'asc' } }))).map(recordOf);
  }

  /** Makes the account, or gives it another link: the older one is dead. False: it was set up already, and nothing was changed. */
  invite(account: Invited): Promise<boolean> {
    return this.db.atomic(async (sql) => {
      const { name, ...rest } = account;
      await sql.account.createMany({ data: [account], skipDuplicates: true });
      return (await sql.account.updateMany({ where: { name, setUpAt: null }, data: rest })).count > 0;
    });
  }

  /** Spends the link with this hash: of any number of calls exactly one gets the account. */
  setUp(codeHash: string, now: Date): Promise<AccountRecord | null> {
    return this.db.atomic(async (sql) => {
      const found = await sql.account.findUnique({ where: { codeHash } });
      if (!found) return null;
      const { count } = await sql.account.updateMany({
        where: { name: found.name, codeHash, codeExpiresAt: { gt: now } },
        data: { codeHash: null, codeExpiresAt: null, setUpAt: now },
      });
      return count === 0 ? null : { ...recordOf(found), codeExpiresAt: null, setUpAt: now };
    });
  }

  /** Whether there was one. */
  async remove(name: string): Promise<boolean> {
    return (await this.db.run((sql) => sql.account.deleteMany({ where: { name } }))).count > 0;
  }
}
const recordOf = (row: Omit<AccountRecord, 'role'> & { role: string }): AccountRecord => {
  const { name, invitedBy, invitedAt, codeExpiresAt, setUpAt } = row;
  return { name, role: row.role as ApiRole, invitedBy, invitedAt, codeExpiresAt, setUpAt };
};
