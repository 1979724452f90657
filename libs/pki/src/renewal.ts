import { X509Certificate } from 'node:crypto';

/** From when to when a certificate is valid, in milliseconds since the epoch. */
export interface Validity {
  notBeforeMs: number;
  notAfterMs: number;
}

export function validityOf(certificate: string | Buffer): Validity {
  const { validFrom, validTo } = new X509Certificate(certificate);
  return { notBeforeMs: Date.parse(validFrom), notAfterMs: Date.parse(validTo) };
}

/** Whether a certificate has used up a third of its life: then a new one is asked for. */
export function renewalDue({ notBeforeMs, notAfterMs }: Validity, nowMs: number): boolean {
  return nowMs >= notBeforeMs + (notAfterMs - notBeforeMs) / 3;
}
