import { createHash, createHmac } from 'node:crypto';

/** How a machine proves who it is, ahead of anything secret. */
export interface HostKeyPolicy {
  /** `SHA256:…` as `ssh-keygen -lf` prints it. */
  fingerprint?: string;
  /** Lines of known_hosts files. */
  knownHosts: readonly string[];
  /** Takes a key that nobody knows yet; never one that differs from what is known. The caller records it. */
  acceptNew: boolean;
}
export type Verdict = { ok: true; accepted: 'fingerprint' | 'known-hosts' | 'new' } | { ok: false; expected: string[] };

const bare = (fingerprint: string): string => fingerprint.replace(/=+$/, '');
/** `SHA256:…` of a key as it travels on the wire. */
export const fingerprintOf = (key: Buffer): string => `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;

/** The keys that known_hosts lines give for a host: `[host]:port` unless the port is 22, hashed names, `*` and `!` patterns. Revoked lines are left out. */
export function knownKeys(lines: readonly string[], host: string, port: number): { type: string; key: Buffer }[] {
  const name = port === 22 ? host : `[${host}]:${port}`;
  const found: { type: string; key: Buffer }[] = [];
  for (const line of lines) {
    const [names, type, key] = line.trim().split(/\s+/);
    if (!names || !type || !key || names.startsWith('#') || names.startsWith('@')) continue;
    if (matches(names, name)) found.push({ type, key: Buffer.from(key, 'base64') });
  }
  return found;
}
function matches(names: string, name: string): boolean {
  if (names.startsWith('|1|')) {
    const [, , salt, hash] = names.split('|');
    return (
      createHmac('sha1', Buffer.from(salt ?? '', 'base64'))
        .update(name)
        .digest('base64') === hash
    );
  }
  const patterns = names.split(',');
  const hit = (p: string): boolean =>
    new RegExp(
      `^${p
        .replace(/[.+^${}()|[\]\\]/g, '\\$&')
        .replaceAll('*', '.*')
        .replaceAll('?', '.')}$`,
      'i',
    ).test(name);
  return patterns.some((p) => !p.startsWith('!') && hit(p)) && !patterns.some((p) => p.startsWith('!') && hit(p.slice(1)));
}

/** Judges a presented key. A fingerprint of the spec outranks known_hosts. */
export function judgeHostKey(key: Buffer, policy: HostKeyPolicy, where: { host: string; port: number }): Verdict {
  const presented = fingerprintOf(key);
  if (policy.fingerprint)
    return bare(policy.fingerprint) === presented ? { ok: true, accepted: 'fingerprint' } : { ok: false, expected: [bare(policy.fingerprint)] };
  const known = knownKeys(policy.knownHosts, where.host, where.port);
  if (known.some((k) => k.key.equals(key))) return { ok: true, accepted: 'known-hosts' };
  if (known.length > 0) return { ok: false, expected: known.map((k) => fingerprintOf(k.key)) };
  return policy.acceptNew ? { ok: true, accepted: 'new' } : { ok: false, expected: [] };
}
