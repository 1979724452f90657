import { z } from 'zod';
import { Name } from './names';

/** What a bearer may do. Each role may do what the ones before it may. */
export const ApiRole = z.enum(['viewer', 'operator', 'admin']).meta({ id: 'ApiRole' });
export type ApiRole = z.infer<typeof ApiRole>;

/** The server's own first token is called so, so nobody else is. */
export const firstBearer = 'admin';

export const InviteAccount = z
  .strictObject({
    name: Name.refine((n) => n !== firstBearer, `"${firstBearer}" is the server's own first token; take the name of a person`),
    role: ApiRole.default('operator'),
  })
  .meta({ id: 'InviteAccount' });
export type InviteAccount = z.input<typeof InviteAccount>;

/** A one-time link: the address of the server, then this path. Whoever has it becomes that account. */
export const Invitation = z.object({ name: z.string(), role: ApiRole, path: z.string(), expiresAt: z.string() }).meta({ id: 'Invitation' });
export type Invitation = z.infer<typeof Invitation>;

export const AccountView = z
  .object({
    name: z.string(),
    role: ApiRole,
    state: z.enum(['invited', 'expired', 'set-up']), // expired: its link was not used in time
    invitedBy: z.string(),
    invitedAt: z.string(),
    expiresAt: z.string().nullable(), // of the link that is out
    setUpAt: z.string().nullable(),
  })
  .meta({ id: 'AccountView' });
export type AccountView = z.infer<typeof AccountView>;

export const SetUpAccount = z.strictObject({ code: z.string().max(200) }).meta({ id: 'SetUpAccount' });
export type SetUpAccount = z.infer<typeof SetUpAccount>;

/** The only time that its token is told. */
export const AccountSetUp = z.object({ name: z.string(), role: ApiRole, token: z.string() }).meta({ id: 'AccountSetUp' });
export type AccountSetUp = z.infer<typeof AccountSetUp>;

/** What follows the server's address in a setup link. The code is in the fragment, which no browser sends and no proxy logs. */
export const setUpPath = (code: string, caPin: string): string => `/setup#${code}.${caPin}`;

/** Takes a setup link apart; null when it is none. */
export function parseSetUpLink(text: string): { server: string; code: string; caPin: string } | null {
  const [, server, code, caPin] = /^(https:\/\/[^\s/#?]+)\/setup#(strata_setup_[A-Za-z0-9_-]{32})\.([0-9a-f]{64})$/.exec(text.trim()) ?? [];
  return server === undefined || code === undefined || caPin === undefined ? null : { server, code, caPin };
}
