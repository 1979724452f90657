import 'reflect-metadata';
import { createHash, webcrypto, X509Certificate } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import type { ListenerTls } from '../server-tls';

x509.cryptoProvider.set(webcrypto);
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const day = 24 * 3600_000;
const pem = (certificate: x509.X509Certificate): string => `${certificate.toString('pem')}\n`;

/** A stand-in for libs/pki, which this library may not import: it also makes certificates that pki never would. */
export class TestAuthority {
  readonly caPem: string;
  readonly pin: string;
  private constructor(
    private readonly keys: webcrypto.CryptoKeyPair,
    private readonly certificate: x509.X509Certificate,
  ) {
    this.caPem = pem(certificate);
    this.pin = createHash('sha256')
      .update(new X509Certificate(this.caPem).publicKey.export({ type: 'spki', format: 'der' }))
      .digest('hex');
  }

  static async create(fromDays = -1): Promise<TestAuthority> {
    const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      serialNumber: '01',
      name: 'CN=strata-ca',
      notBefore: new Date(Date.now() + fromDays * day),
      notAfter: new Date(Date.now() + (fromDays + 30) * day),
      signingAlgorithm: algorithm,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
      ],
    });
    return new TestAuthority(keys, certificate);
  }

  /** A certificate and key. `fromDays`: when it begins, from now. */
  async issue(what: { uri: string; dns?: string; server?: boolean; fromDays?: number }): Promise<{ certPem: string; keyPem: string }> {
    const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
    const from = what.fromDays ?? -1;
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: Buffer.from(webcrypto.getRandomValues(new Uint8Array(8)))
        .toString('hex')
        .replace(/^./, '4'),
      subject: 'CN=test',
      issuer: this.certificate.subject,
      notBefore: new Date(Date.now() + from * day),
      notAfter: new Date(Date.now() + (from + 20) * day),
      signingAlgorithm: algorithm,
      publicKey: keys.publicKey,
      signingKey: this.keys.privateKey,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth, ...(what.server === false ? [] : [x509.ExtendedKeyUsage.serverAuth])], false),
        await x509.AuthorityKeyIdentifierExtension.create(this.certificate, false, webcrypto),
        new x509.SubjectAlternativeNameExtension([{ type: 'url', value: what.uri }, ...(what.dns ? [{ type: 'dns' as const, value: what.dns }] : [])], false),
      ],
    });
    return { certPem: pem(certificate), keyPem: `${x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY')}\n` };
  }

  /** What a listener needs: the chain with the CA. */
  async listener(fromDays?: number): Promise<ListenerTls> {
    const { certPem, keyPem } = await this.issue({ uri: 'spiffe://strata.local/server', dns: 'strata-server', fromDays });
    return { certPem: certPem + this.caPem, keyPem, caPem: this.caPem };
  }

  /** What a node has. */
  async node(nodeId: string): Promise<{ caPem: string; certPem: string; keyPem: string }> {
    return { ...(await this.issue({ uri: `spiffe://strata.local/cluster/c1/node/${nodeId}`, server: false })), caPem: this.caPem };
  }
}
