import { webcrypto } from 'node:crypto';
import { nodeSpiffeId, serverSpiffeId, serviceSpiffeId, tunnelSpiffeId, type NodeIdentity } from '@strata/model';
import { caPinOf, serialOf } from './identity';
import { certificateAlgorithm, keyPem, keysFromPem, newKeys, type Keys } from './keys';
import { x509 } from './x509';

const day = 24 * 3600_000;
/** Certificates start a day before they are made, so that a node whose clock is some hours behind can still open its session. */
const backdateMs = day;
export const caDays = 3650;
export const leafDays = 365;

export interface ServerNames {
  dns: string[];
  ip: string[];
}
export interface Issued {
  certPem: string;
  serial: string; // upper-case hex
}
/** What a TLS listener needs. `certPem` is the chain: leaf, then CA, so that a stranger can check the pin of the CA. */
export interface ServerCertificate {
  certPem: string;
  keyPem: string;
}

/** The certificate authority of one control server. */
export class Authority {
  readonly certPem: string;
  /** SHA-256 of the CA's public key, hex. */
  readonly pin: string;

  private constructor(
    private readonly keys: Keys,
    private readonly certificate: x509.X509Certificate,
    private readonly now: () => number,
  ) {
    this.certPem = `${certificate.toString('pem')}\n`;
    this.pin = caPinOf(this.certPem);
  }

  /** A CA of ten years, under fresh keys unless some are given. `now` gives milliseconds since the epoch. */
  static async create(name: string, from: { keys?: Keys; now?: () => number } = {}): Promise<Authority> {
    const keys = from.keys ?? (await newKeys());
    const now = from.now ?? Date.now;
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      serialNumber: newSerial(),
      name: [{ CN: [name] }],
      notBefore: new Date(now() - backdateMs),
      notAfter: new Date(now() + caDays * day),
      signingAlgorithm: certificateAlgorithm,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
      ],
    });
    return new Authority(keys, certificate, now);
  }

  /** The CA of two PEM texts. Throws when they do not belong together or the certificate is no CA. */
  static async load(pem: { certPem: string; keyPem: string }, now: () => number = Date.now): Promise<Authority> {
    const keys = await keysFromPem(pem.keyPem);
    const certificate = new x509.X509Certificate(pem.certPem);
    const own = Buffer.from(await webcrypto.subtle.exportKey('spki', keys.publicKey));
    if (!own.equals(Buffer.from(certificate.publicKey.rawData)))
      throw new Error('the CA certificate and the CA key do not belong together; restore both files from one backup');
    if (certificate.getExtension(x509.BasicConstraintsExtension)?.ca !== true) throw new Error('the CA certificate is not a CA; restore it from a backup');
    return new Authority(keys, certificate, now);
  }

  /** The CA's private key, PKCS#8 PEM. */
  keyPem(): Promise<string> {
    return keyPem(this.keys.privateKey);
  }

  /** Signs a node's request for 365 days. Only its public key is taken; the name is what the server decided. Throws when the request is not signed by its own key or the key is not P-256. */
  async signCsr(csrPem: string, node: NodeIdentity): Promise<Issued> {
    const publicKey = await publicKeyOfCsr(csrPem);
    return this.issue(publicKey, { subject: node.nodeId, uri: nodeSpiffeId(node), use: [x509.ExtendedKeyUsage.clientAuth], names: { dns: [], ip: [] } });
  }

  /** Key and certificate chain of a listener, 365 days. `names` are what clients check; agents check the name `strata-server`. */
  async issueServer(names: ServerNames): Promise<ServerCertificate> {
    const keys = await newKeys();
    const use = [x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth];
    const { certPem } = await this.issue(keys.publicKey, { subject: 'strata-server', uri: serverSpiffeId, use, names });
    return { certPem: `${certPem}${this.certPem}`, keyPem: await keyPem(keys.privateKey) };
  }

  /**
   * Key, certificate and this CA's certificate of one end of the tunnel. It names no node and no host, so that it opens nothing else. It lives as
   * long as the CA: the hub's list of nodes says who may come in.
   */
  async issueTunnel(name: string, end: 'hub' | 'node'): Promise<{ certPem: string; keyPem: string; caPem: string }> {
    const keys = await newKeys();
    const use = [end === 'hub' ? x509.ExtendedKeyUsage.serverAuth : x509.ExtendedKeyUsage.clientAuth];
    const what = { subject: name, uri: tunnelSpiffeId(name), use, names: { dns: [], ip: [] }, days: caDays };
    return { certPem: (await this.issue(keys.publicKey, what)).certPem, keyPem: await keyPem(keys.privateKey), caPem: this.certPem };
  }

  /**
   * Key, certificate and this CA's certificate of a service that listens on a node, such as `meta.home.strata.internal`. It can only be listened with, and
   * it is nobody's identity: neither a node nor the control server. It lives as long as the CA: nothing of the service has to come back for another.
   */
  async issueService(name: string, names: ServerNames): Promise<{ certPem: string; keyPem: string; caPem: string }> {
    const keys = await newKeys();
    const what = { subject: name.slice(0, 64), uri: serviceSpiffeId(name), use: [x509.ExtendedKeyUsage.serverAuth], names, days: caDays };
    return { certPem: (await this.issue(keys.publicKey, what)).certPem, keyPem: await keyPem(keys.privateKey), caPem: this.certPem };
  }

  private async issue(
    publicKey: webcrypto.CryptoKey,
    what: { subject: string; uri: string; use: x509.ExtendedKeyUsage[]; names: ServerNames; days?: number },
  ): Promise<Issued> {
    const alternatives: x509.JsonGeneralNames = [
      { type: 'url', value: what.uri },
      ...what.names.dns.map((value) => ({ type: 'dns' as const, value })),
      ...what.names.ip.map((value) => ({ type: 'ip' as const, value })),
    ];
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: newSerial(),
      subject: [{ CN: [what.subject] }],
      issuer: this.certificate.subjectName,
      notBefore: new Date(this.now() - backdateMs),
      notAfter: new Date(this.now() + (what.days ?? leafDays) * day),
      signingAlgorithm: certificateAlgorithm,
      publicKey,
      signingKey: this.keys.privateKey,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension(what.use, false),
        new x509.SubjectAlternativeNameExtension(alternatives, false),
        await x509.AuthorityKeyIdentifierExtension.create(this.certificate, false, webcrypto),
        await x509.SubjectKeyIdentifierExtension.create(publicKey, false, webcrypto),
      ],
    });
    const certPem = `${certificate.toString('pem')}\n`;
    return { certPem, serial: serialOf(certPem) };
  }
}

async function publicKeyOfCsr(csrPem: string): Promise<webcrypto.CryptoKey> {
  try {
    const csr = new x509.Pkcs10CertificateRequest(csrPem);
    if (!(await csr.verify(webcrypto))) throw new Error('it is not signed by its own key');
    return await webcrypto.subtle.importKey('spki', csr.publicKey.rawData, certificateAlgorithm, true, ['verify']);
  } catch (cause) {
    throw new Error(`the certificate request is refused: ${(cause as Error).message}; a request carries a P-256 key and is signed by it`, { cause });
  }
}

function newSerial(): string {
  const bytes = webcrypto.getRandomValues(new Uint8Array(16));
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40; // positive and without a leading zero
  return Buffer.from(bytes).toString('hex');
}
