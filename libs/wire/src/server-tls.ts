import { experimental, type ServerCredentials } from '@grpc/grpc-js';

/** PEM texts of one listener. `certPem` is the chain: leaf, then CA. `caPem` may hold several CAs, each ending with a newline. */
export interface ListenerTls {
  certPem: string;
  keyPem: string;
  caPem: string;
}
type CaListener = (update: { caCertificate: Buffer } | null) => void;
type IdentityListener = (update: { certificate: Buffer; privateKey: Buffer } | null) => void;

/** Certificates in memory that can be swapped: new connections get the new ones, live streams stay. */
export class SwappableTls {
  private readonly caListeners = new Set<CaListener>();
  private readonly identityListeners = new Set<IdentityListener>();

  constructor(private current: ListenerTls) {}

  swap(next: ListenerTls): void {
    this.current = next;
    for (const listener of this.caListeners) listener(this.ca());
    for (const listener of this.identityListeners) listener(this.identity());
  }

  /** grpc-js 1.14 names the first two parameters the wrong way round (the first is the identity); one object in both places is right either way. */
  requiringClientCertificate(): ServerCredentials {
    return experimental.createCertificateProviderServerCredentials(this, this, true);
  }

  /** For strangers, who have no certificate yet. No client certificate is asked for, so none can be mistaken for an identity. */
  withoutClientCertificate(): ServerCredentials {
    const none = null as unknown as SwappableTls; // the declaration of 1.14 forbids null where its code (second parameter: the CA) allows it
    return experimental.createCertificateProviderServerCredentials(this, none, false);
  }

  addCaCertificateListener(listener: CaListener): void {
    this.caListeners.add(listener);
    process.nextTick(listener, this.ca());
  }
  removeCaCertificateListener(listener: CaListener): void {
    this.caListeners.delete(listener);
  }
  addIdentityCertificateListener(listener: IdentityListener): void {
    this.identityListeners.add(listener);
    process.nextTick(listener, this.identity());
  }
  removeIdentityCertificateListener(listener: IdentityListener): void {
    this.identityListeners.delete(listener);
  }

  private ca(): { caCertificate: Buffer } {
    return { caCertificate: Buffer.from(this.current.caPem) };
  }
  private identity(): { certificate: Buffer; privateKey: Buffer } {
    return { certificate: Buffer.from(this.current.certPem), privateKey: Buffer.from(this.current.keyPem) };
  }
}
