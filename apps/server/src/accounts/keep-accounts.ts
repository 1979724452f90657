import { Injectable } from '@nestjs/common';
import { type AccountSetUp, type AccountView, type Invitation, type InviteAccount, setUpPath } from '@strata/model';
import { hashToken, newToken } from '@strata/pki';
import type { AccountRecord } from '@strata/store';
import { conflict, notFound, ProblemError } from '../api/problem';
import { Edges } from '../serve/edges';

const lifeMs = 24 * 3_600_000;

/** Who may use this server: each is invited by a one-time link, and whoever opens it gets a token of their own. */
@Injectable()
export class KeepAccounts {
  constructor(private readonly edges: Edges) {}

  async all(): Promise<AccountView[]> {
    const now = this.edges.now();
    return (await this.edges.store.accounts.list()).map((a) => viewOf(a, now));
  }

  /** An older link of the same account is dead from now on. @throws ProblemError 409 when it is set up already */
  async invite({ name, role = 'operator' }: InviteAccount, by: string): Promise<Invitation> {
    const { store, keys } = this.edges;
    const code = newToken('setup');
    const now = this.edges.now();
    const expiresAt = new Date(now + lifeMs);
    const account = { name, role, invitedBy: by, invitedAt: new Date(now), codeHash: hashToken(code), codeExpiresAt: expiresAt };
    const invited = await store.transaction(async (work) => {
      const done = await work.accounts.invite(account);
      if (done) await work.audit.record({ by, action: 'account.invite', object: `account/${name}`, body: { role, expiresAt: expiresAt.toISOString() } });
      return done;
    });
    if (!invited)
      throw conflict('account-set-up', `${name} is set up already`, `to give it another token or role, remove it first: strata user remove ${name}`);
    return { name, role, path: setUpPath(code, keys.authority.pin), expiresAt: expiresAt.toISOString() };
  }

  /** Spends a link. @throws ProblemError 410 for one that is used, replaced, too old, or was never made */
  async setUp(code: string): Promise<AccountSetUp> {
    const token = newToken('api');
    const account = await this.edges.store.transaction(async (work) => {
      const done = await work.accounts.setUp(hashToken(code), new Date(this.edges.now()));
      if (!done) return null;
      await work.apiTokens.add({ hash: hashToken(token), name: done.name, role: done.role });
      await work.audit.record({ by: done.name, action: 'account.set-up', object: `account/${done.name}`, body: { role: done.role } });
      return done;
    });
    if (!account)
      throw new ProblemError(410, 'link-spent', {
        title: 'this link opens nothing',
        detail: 'it was used, or replaced by a newer one, or its 24 hours are over, or this server never made it',
        remedy: 'ask whoever invited you for another one (strata user invite); if it was used and not by you, say so to them at once',
      });
    return { name: account.name, role: account.role, token };
  }

  /** Its token is refused from now on, and so is a link that is out. @throws ProblemError 404 */
  async remove(name: string, by: string): Promise<void> {
    const was = await this.edges.store.transaction(async (work) => {
      const gone = await work.accounts.remove(name);
      if (!gone) return false;
      await work.apiTokens.revoke(name);
      await work.audit.record({ by, action: 'account.remove', object: `account/${name}`, body: {} });
      return true;
    });
    if (!was) throw notFound(`account ${name}`, 'strata user list');
  }
}

function viewOf({ name, role, invitedBy, invitedAt, codeExpiresAt, setUpAt }: AccountRecord, now: number): AccountView {
  const state = setUpAt ? 'set-up' : codeExpiresAt && codeExpiresAt.getTime() > now ? 'invited' : 'expired';
  const iso = (at: Date | null): string | null => at?.toISOString() ?? null;
  return { name, role, state, invitedBy, invitedAt: invitedAt.toISOString(), expiresAt: iso(codeExpiresAt), setUpAt: iso(setUpAt) };
}
