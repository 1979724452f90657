import { generateKeyPairSync, webcrypto, X509Certificate } from 'node:crypto';
import { nodeSpiffeId, parseNodeSpiffeId } from '@strata/model';
import { Authority, caPinOf, identityOf, keyPem, keysFromPem, makeCsr, newKeys, renewalDue, spiffeIdOf, validityOf } from './index';
import { x509 } from './x509';

const day = 24 * 3600_000;
const node = { clusterId: 'c1', nodeId: 'n1' };
let ca: Authority;
beforeAll(async () => {
  ca = await Authority.create('strata-ca');
});

test('a request becomes a certificate that the CA signed and that names what the server said', async () => {
  const { certPem, serial } = await ca.signCsr(await makeCsr(await newKeys()), node);
  const certificate = new X509Certificate(certPem);
  expect(certificate.verify(new X509Certificate(ca.certPem).publicKey)).toBe(true);
  expect(certificate.checkIssued(new X509Certificate(ca.certPem))).toBe(true);
  expect(certificate.ca).toBe(false);
  expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']); // client only: a node's certificate cannot pose as the server
  expect(identityOf(certPem)).toEqual({ ...node, serial });
  expect(identityOf(certificate.raw)).toEqual({ ...node, serial });
});

test('whatever a request asks for, only its key is taken', async () => {
  const keys = await newKeys();
  const greedy = await x509.Pkcs10CertificateRequestGenerator.create({
    name: 'CN=strata-server',
    keys,
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
    extensions: [
      new x509.BasicConstraintsExtension(true, 5, true),
      new x509.SubjectAlternativeNameExtension([
        { type: 'url', value: 'spiffe://strata.local/server' },
        { type: 'dns', value: 'strata-server' },
      ]),
    ],
  });
  const certificate = new X509Certificate((await ca.signCsr(greedy.toString('pem'), node)).certPem);
  expect(certificate.ca).toBe(false);
  expect(certificate.subject).toBe('CN=n1');
  expect(certificate.subjectAltName).toBe('URI:spiffe://strata.local/cluster/c1/node/n1');
});

test('a request signed by another key, with another kind of key, or no request at all is refused', async () => {
  const [mine, theirs] = [await newKeys(), await newKeys()];
  const forged = await x509.Pkcs10CertificateRequestGenerator.create({
    name: 'CN=x',
    keys: { publicKey: theirs.publicKey, privateKey: mine.privateKey },
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
  });
  await expect(ca.signCsr(forged.toString('pem'), node)).rejects.toThrow('not signed by its own key');
  const rsa = await webcrypto.subtle.generateKey(
    { name: 'RSASSA-PKCS1-v1_5', modulusLength: 1024, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-256' },
    true,
    ['sign', 'verify'],
  );
  const weak = await x509.Pkcs10CertificateRequestGenerator.create({
    name: 'CN=x',
    keys: rsa,
    signingAlgorithm: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
  });
  await expect(ca.signCsr(weak.toString('pem'), node)).rejects.toThrow('the certificate request is refused');
  await expect(ca.signCsr('rubbish', node)).rejects.toThrow('the certificate request is refused');
});

test('an id that would say something else in the URI is refused', async () => {
  for (const nodeId of ['n1/../../server', 'n 1', '', 'n1,URI:spiffe://strata.local/server'])
    expect(() => nodeSpiffeId({ clusterId: 'c1', nodeId })).toThrow('ids hold only');
  expect(parseNodeSpiffeId('spiffe://strata.local/server')).toBeUndefined();
  expect(parseNodeSpiffeId('spiffe://elsewhere/cluster/c1/node/n1')).toBeUndefined();
  const server = await ca.issueServer({ dns: ['strata-server'], ip: ['10.0.0.1'] });
  expect(() => identityOf(server.certPem)).toThrow('names no node');
});

test('a server certificate carries its names, and its chain carries the CA', async () => {
  const { certPem, keyPem: key } = await ca.issueServer({ dns: ['strata-server'], ip: ['10.0.0.1', '::1'] });
  const blocks = certPem.match(/-----BEGIN[^-]+-----[^-]+-----END[^-]+-----\n/g) ?? [];
  expect(blocks).toHaveLength(2);
  expect(caPinOf(blocks[1] ?? '')).toBe(ca.pin);
  const leaf = new X509Certificate(certPem);
  expect(leaf.checkHost('strata-server')).toBe('strata-server');
  expect(leaf.checkIP('10.0.0.1')).toBe('10.0.0.1');
  expect(spiffeIdOf(certPem)).toBe('spiffe://strata.local/server');
  expect((await keysFromPem(key)).privateKey.type).toBe('private');
});

test('certificates start a day ago, so that a slow clock does not lock a node out, and last a year, the CA ten', async () => {
  const at = Date.UTC(2026, 5, 1);
  const then = await Authority.create('strata-ca', { now: () => at });
  expect(validityOf(then.certPem)).toEqual({ notBeforeMs: at - day, notAfterMs: at + 3650 * day });
  expect(validityOf((await then.signCsr(await makeCsr(await newKeys()), node)).certPem)).toEqual({ notBeforeMs: at - day, notAfterMs: at + 365 * day });
});

test('an end of the tunnel names neither node nor host, and serves one side only', async () => {
  const hub = await ca.issueTunnel('home.n1', 'hub');
  const leaf = new X509Certificate(hub.certPem);
  expect([leaf.subject, leaf.keyUsage, leaf.verify(new X509Certificate(hub.caPem).publicKey)]).toEqual(['CN=home.n1', ['1.3.6.1.5.5.7.3.1'], true]);
  expect(() => identityOf(hub.certPem)).toThrow('names no node');
  expect(leaf.checkHost('home.n1', { subject: 'never' })).toBeUndefined();
  expect(new X509Certificate((await ca.issueTunnel('home.n3', 'node')).certPem).keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
});

test('renewal is due after a third of the life', () => {
  const life = { notBeforeMs: 0, notAfterMs: 300 };
  expect([99, 100, 299, 500].map((now) => renewalDue(life, now))).toEqual([false, true, true, true]);
});

test('the CA survives its two files, and wrong pairs are refused', async () => {
  const again = await Authority.load({ certPem: ca.certPem, keyPem: await ca.keyPem() });
  expect(again.pin).toBe(ca.pin);
  expect(again.certPem).toBe(ca.certPem);
  const other = await Authority.create('strata-ca');
  await expect(Authority.load({ certPem: ca.certPem, keyPem: await other.keyPem() })).rejects.toThrow('do not belong together');
  const keys = await newKeys();
  const leaf = await ca.signCsr(await makeCsr(keys), node);
  await expect(Authority.load({ certPem: leaf.certPem, keyPem: await keyPem(keys.privateKey) })).rejects.toThrow('not a CA');
  await expect(keysFromPem(generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString())).rejects.toThrow('not a P-256 key');
});
