import { createHash, X509Certificate } from 'node:crypto';

const trustDomain = 'spiffe://strata.local';
const nodeUri = /^spiffe:\/\/strata\.local\/cluster\/([A-Za-z0-9_-]{1,64})\/node\/([A-Za-z0-9_-]{1,64})$/;

/** Who a node is: what the server wrote into its certificate. */
export interface NodeName {
  clusterId: string;
  nodeId: string;
}

export const serverSpiffeId = `${trustDomain}/server`;

/** The SPIFFE id of a node. Throws when an id holds anything but letters, digits, `-` and `_`. */
export function nodeSpiffeId({ clusterId, nodeId }: NodeName): string {
  const uri = `${trustDomain}/cluster/${clusterId}/node/${nodeId}`;
  if (!nodeUri.test(uri)) throw new Error(`no certificate can name cluster "${clusterId}", node "${nodeId}": ids hold only letters, digits, - and _`);
  return uri;
}

/** The node that a SPIFFE id names, or undefined when it names none. */
export function parseNodeSpiffeId(uri: string): NodeName | undefined {
  const [, clusterId, nodeId] = nodeUri.exec(uri) ?? [];
  return clusterId !== undefined && nodeId !== undefined ? { clusterId, nodeId } : undefined;
}

/** The one URI in a certificate's subject alternative names; undefined when there is none or more than one. */
export function spiffeIdOf(certificate: string | Buffer): string | undefined {
  const uris = (new X509Certificate(certificate).subjectAltName ?? '').split(', ').filter((name) => name.startsWith('URI:'));
  return uris.length === 1 ? uris[0]?.slice('URI:'.length) : undefined;
}

/** Node and serial (upper-case hex) of a node's certificate (PEM or DER). Throws when it names no node. Nothing is verified here: the TLS handshake did that. */
export function identityOf(certificate: string | Buffer): NodeName & { serial: string } {
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
