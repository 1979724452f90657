import { createHmac, timingSafeEqual } from 'node:crypto';

/** The seal of a plan: HMAC-SHA-256 over its canonical JSON, hex. The key is in a file, never in the database. */
export const sealMac = (key: Buffer, canonicalJson: string): string => createHmac('sha256', key).update(canonicalJson, 'utf8').digest('hex');

/** Whether `mac` is the seal of this text. Takes the same time whatever the answer. */
export function verifyMac(key: Buffer, canonicalJson: string, mac: string): boolean {
  const want = Buffer.from(sealMac(key, canonicalJson), 'utf8');
  const got = Buffer.from(mac, 'utf8');
  return want.length === got.length && timingSafeEqual(want, got);
}
