import { createHash, X509Certificate } from 'node:crypto';
import type { DetailedPeerCertificate, TLSSocket } from 'node:tls';
import { PinMismatch } from './failures';
import { serverName } from './protocol';
import { TlsCredentials } from './tls-credentials';

const serverAuth = '1.3.6.1.5.5.7.3.1';

/**
 * TLS to a server of which only the pin of its CA is known (SHA-256 of its SPKI DER, hex). The chain is verified against the pin before a single byte of HTTP/2
 * is written. Dates are not looked at: the clock of a new node may be wrong, and it must be able to learn that.
 */
export function pinnedCredentials(caPin: string): TlsCredentials {
  // rejectUnauthorized is off because node:tls cannot leave out only the dates; checkChain does the rest of its work.
  return new TlsCredentials({ rejectUnauthorized: false, minVersion: 'TLSv1.2' }, (socket) => checkChain(chainOf(socket), caPin));
}

/** SHA-256 of a certificate's public key (SPKI DER), hex. */
export const pinOf = (certificate: X509Certificate): string =>
  createHash('sha256')
    .update(certificate.publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex');

/** Throws PinMismatch unless `chain` (leaf first) holds the pinned CA, that CA signed the leaf, and the leaf is a server's under the name we expect. Dates are not judged. */
export function checkChain(chain: readonly X509Certificate[], caPin: string): void {
  const [leaf, ...issuers] = chain;
  const ca = issuers.find((certificate) => pinOf(certificate) === caPin);
  if (!leaf || !ca) {
    const got = issuers.map((certificate) => pinOf(certificate)).join(', ') || '(none sent)';
    throw new PinMismatch(
      `the server is not the one that the join token names: the pin of its CA is ${got}, want ${caPin}; nothing was sent to it. Take a fresh join command from your control server`,
    );
  }
  const wrong = (what: string): PinMismatch => new PinMismatch(`the server presents the pinned CA, but ${what}; nothing was sent to it`);
  if (!ca.ca || !leaf.checkIssued(ca) || !leaf.verify(ca.publicKey)) throw wrong('that CA did not sign its certificate');
  if (leaf.checkHost(serverName, { subject: 'never' }) === undefined) throw wrong(`its certificate is not for ${serverName}`);
  if (!leaf.keyUsage?.includes(serverAuth)) throw wrong('its certificate is not one of a server');
}

function chainOf(socket: TLSSocket): X509Certificate[] {
  const chain: X509Certificate[] = [];
  let at: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
  while (at?.raw) {
    const { raw } = at;
    if (chain.some((seen) => seen.raw.equals(raw))) break;
    chain.push(new X509Certificate(raw));
    at = at.issuerCertificate;
  }
  return chain;
}
