import { createHash, X509Certificate } from 'node:crypto';
import { parseNodeSpiffeId, soleUri, type NodeIdentity } from '@strata/model';

/** The one URI in a certificate's subject alternative names; undefined when there is none or more than one. */
export const spiffeIdOf = (certificate: string | Buffer): string | undefined => soleUri(new X509Certificate(certificate).subjectAltName);

/** Node and serial (upper-case hex) of a node's certificate (PEM or DER). Throws when it names no node. Nothing is verified here: the TLS handshake did that. */
export function identityOf(certificate: string | Buffer): NodeIdentity & { serial: string } {
  const uri = spiffeIdOf(certificate);
  const name = uri === undefined ? undefined : parseNodeSpiffeId(uri);
  if (!name) throw new Error(`the certificate names no node: ${uri ?? 'it has no single URI'}`);
  return { ...name, serial: serialOf(certificate) };
}

/** Serial of a certificate, upper-case hex, as node:tls writes it. */
export const serialOf = (certificate: string | Buffer): string => new X509Certificate(certificate).serialNumber.toUpperCase();

/** The pin of a CA: SHA-256 of its public key (SPKI DER), 64 hex digits. It outlives a renewal of the CA certificate under the same key. */
export function caPinOf(caCertificate: string | Buffer): string {
  return createHash('sha256')
    .update(new X509Certificate(caCertificate).publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex');
}
