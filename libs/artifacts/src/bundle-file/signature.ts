import { createHash, createPublicKey, verify } from 'node:crypto';
import { z } from 'zod';
import { damaged } from './refused';

const spkiHead = Buffer.from('302a300506032b6570032100', 'hex'); // SPKI of a raw Ed25519 public key
const base64 = (bytes: number) => z.base64().transform((text) => Buffer.from(text, 'base64')).refine((b) => b.length === bytes, `must be ${bytes} bytes`); // prettier-ignore
const SignatureFile = z.strictObject({ algorithm: z.literal('ed25519'), publicKey: base64(32), signature: base64(64) });

/** Who signs: the raw public half of an Ed25519 key, and a signature over exactly these bytes by its private half. */
export interface BundleSigner {
  publicKey: Buffer;
  sign(bytes: Buffer): Buffer;
}
/** Longer no `manifest.sig` is. */
export const largestSignature = 1024;

/** The name of a bundle key for people: SHA-256 of its raw public half. */
export const fingerprintOf = (publicKey: Buffer): string => `SHA256:${createHash('sha256').update(publicKey).digest('base64url')}`;

/** The bytes of `manifest.sig` for these of `manifest.json`. */
export function signatureBytes(manifest: Buffer, signer: BundleSigner): Buffer {
  const [publicKey, signature] = [signer.publicKey.toString('base64'), signer.sign(manifest).toString('base64')];
  return Buffer.from(`${JSON.stringify({ algorithm: 'ed25519', publicKey, signature })}\n`);
}

/** The fingerprint of whoever signed exactly these bytes. @throws BundleFileRefused when nobody did */
export function signerOf(manifest: Buffer, signatureFile: Buffer): string {
  const parsed = SignatureFile.safeParse(jsonOf(signatureFile));
  if (!parsed.success) throw damaged('bad-signature', `manifest.sig is no signature of a bundle file: ${z.prettifyError(parsed.error)}`);
  const { publicKey, signature } = parsed.data;
  let good = false;
  try {
    good = verify(null, manifest, createPublicKey({ key: Buffer.concat([spkiHead, publicKey]), format: 'der', type: 'spki' }), signature);
  } catch {
    good = false; // no point of the curve
  }
  if (!good) throw damaged('bad-signature', `the signature is not one over this manifest by ${fingerprintOf(publicKey)}: one of the two was changed`);
  return fingerprintOf(publicKey);
}
function jsonOf(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}
