import type { SecretRef } from '@strata/model';
import { identityParts } from '../identity-parts';
import type { Host } from '../ports/host';

type Secret = (ref: SecretRef) => string;

/** A secret's value, or null in an order that came without it: a dry run only looks, and gets none. */
export function known(secret: Secret, ref: SecretRef): string | null {
  try {
    return secret(ref) || null;
  } catch {
    return null;
  }
}
/** Writes an identity, root's alone. Whose it is stands above the certificate: it cannot be read without a program for it. */
export async function writeIdentity(host: Host, at: { certificate: string; key: string; ca: string }, of: { head: string; pem: string }): Promise<void> {
  const { certificate, key, ca } = identityParts(of.pem);
  await host.files.write(at.ca, ca, { mode: 0o600 });
  await host.files.write(at.key, key, { mode: 0o600 });
  await host.files.write(at.certificate, `${of.head}${certificate}`, { mode: 0o600 });
}
/** Whether the identity there is the one of that head. */
export const hasIdentity = async (host: Host, path: string, head: string): Promise<boolean> => (await host.files.read(path))?.startsWith(head) === true;
