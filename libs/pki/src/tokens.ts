import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

export type TokenKind = 'admin' | 'api' | 'join' | 'setup';

/** A token of 24 random bytes: `strata_<kind>_<32 url-safe characters>`. `random` is for tests. */
export const newToken = (kind: TokenKind, random: (bytes: number) => Buffer = randomBytes): string => `strata_${kind}_${random(24).toString('base64url')}`;

/** What is stored of a token: its SHA-256, hex. A token has 192 random bits, so a slow hash would add nothing. */
export const hashToken = (token: string): string => createHash('sha256').update(token, 'utf8').digest('hex');

/** Whether a token is the one behind a stored hash. Takes the same time whatever the answer. */
export function tokenMatches(token: string, storedHash: string): boolean {
  const want = Buffer.from(storedHash, 'utf8');
  const got = Buffer.from(hashToken(token), 'utf8');
  return want.length === got.length && timingSafeEqual(want, got);
}

/** What a join line carries on standard input: `J1<CA pin, 64 hex>.<token>`. */
export const joinTokenText = (caPin: string, token: string): string => `J1${caPin}.${token}`;

/** Takes a join token apart. Throws, without repeating the token, when it is not one. */
export function parseJoinToken(text: string): { caPin: string; token: string } {
  const [, caPin, token] = /^J1([0-9a-f]{64})\.(strata_join_[A-Za-z0-9_-]{32})$/.exec(text.trim()) ?? [];
  if (caPin === undefined || token === undefined)
    throw new Error('this is no join token: one begins with J1 and is a single line; copy it again from `strata node join-command`');
  return { caPin, token };
}
