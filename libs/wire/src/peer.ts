import { X509Certificate } from 'node:crypto';
import type { PeerCertificate } from 'node:tls';
import { parseNodeSpiffeId, soleUri, type NodeIdentity } from '@strata/model';
import { CallRefused } from './failures';

/** The node behind a connection, by the certificate that the TLS handshake verified. */
export interface Peer extends NodeIdentity {
  /** Of the certificate, upper-case hex. */
  serial: string;
  certificatePem: string;
  /** host:port */
  address: string;
}
interface AuthenticatedCall {
  getAuthContext(): { sslPeerCertificate?: PeerCertificate };
  getPeer(): string;
}

/** Throws CallRefused when the certificate names no node: a server's own certificate, for instance, opens no session. */
export function peerOf(call: AuthenticatedCall): Peer {
  const raw = call.getAuthContext().sslPeerCertificate?.raw as Buffer | undefined;
  if (!raw) throw new CallRefused('unauthenticated', 'this listener serves only agents with a certificate; enroll first');
  const certificate = new X509Certificate(raw);
  const uri = soleUri(certificate.subjectAltName);
  const node = uri === undefined ? undefined : parseNodeSpiffeId(uri);
  if (!node) throw new CallRefused('forbidden', `the certificate names no node of a cluster (${uri ?? 'no single URI in it'}); enroll again`);
  return { ...node, serial: certificate.serialNumber.toUpperCase(), certificatePem: certificate.toString(), address: call.getPeer() };
}
