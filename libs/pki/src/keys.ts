import { createPrivateKey, createPublicKey, webcrypto } from 'node:crypto';
import { x509 } from './x509';

/** The only kind of certificate key that Strata makes or signs. */
export const certificateAlgorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
export type Keys = webcrypto.CryptoKeyPair;

/** A fresh P-256 key pair for a certificate. */
export const newKeys = (): Promise<Keys> => webcrypto.subtle.generateKey(certificateAlgorithm, true, ['sign', 'verify']);

/** A private key as PKCS#8 PEM, ending with a newline. */
export async function keyPem(key: webcrypto.CryptoKey): Promise<string> {
  return `${x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')}\n`;
}

/** The key pair of a PKCS#8 PEM made by {@link keyPem}. Throws when it is no P-256 private key. */
export async function keysFromPem(pem: string): Promise<Keys> {
  try {
    const privateKey = createPrivateKey(pem);
    const publicDer = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
    return {
      privateKey: await webcrypto.subtle.importKey('pkcs8', privateKey.export({ type: 'pkcs8', format: 'der' }), certificateAlgorithm, true, ['sign']),
      publicKey: await webcrypto.subtle.importKey('spki', publicDer, certificateAlgorithm, true, ['verify']),
    };
  } catch (cause) {
    throw new Error('the private key cannot be read: it is not a P-256 key in PKCS#8 PEM', { cause });
  }
}

/** A certificate signing request (PEM). Whatever name it asks for is ignored: the server names its nodes. */
export async function makeCsr(keys: Keys): Promise<string> {
  const csr = await x509.Pkcs10CertificateRequestGenerator.create({ name: 'CN=stratad', keys, signingAlgorithm: certificateAlgorithm });
  return `${csr.toString('pem')}\n`;
}
