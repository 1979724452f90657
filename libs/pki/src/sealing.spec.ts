import { canonicalJson } from '@strata/model';
import {
  BoxKey,
  hashToken,
  joinTokenText,
  MasterKey,
  newToken,
  orderKeyId,
  OrderSigner,
  parseJoinToken,
  sealMac,
  sealTo,
  tokenMatches,
  verifyMac,
  verifyOrder,
} from './index';

describe('orders', () => {
  const signer = OrderSigner.create();
  const body = Buffer.from('{"task":"dns.configure"}');

  test('a signature holds for exactly these bytes and this key', () => {
    const signature = signer.sign(body);
    expect(verifyOrder(body, signature, signer.publicKey)).toBe(true);
    expect(verifyOrder(Buffer.from('{"task":"dns.configurf"}'), signature, signer.publicKey)).toBe(false);
    expect(verifyOrder(body, signature, OrderSigner.create().publicKey)).toBe(false);
    expect(verifyOrder(body, Buffer.alloc(64), signer.publicKey)).toBe(false);
    expect(verifyOrder(body, Buffer.alloc(3), signer.publicKey)).toBe(false);
    expect(verifyOrder(body, signature, Buffer.alloc(5))).toBe(false);
  });

  test('the key survives its file and keeps its id', () => {
    const again = OrderSigner.load(signer.keyPem());
    expect(again.keyId).toBe(signer.keyId);
    expect(again.keyId).toBe(orderKeyId(signer.publicKey));
    expect(again.keyId).toMatch(/^[0-9a-f]{16}$/);
    expect(verifyOrder(body, again.sign(body), signer.publicKey)).toBe(true);
    expect(() => OrderSigner.load(BoxKey.create().keyPem())).toThrow('not Ed25519');
  });
});

test('a plan that was changed anywhere does not keep its seal', () => {
  const key = Buffer.alloc(32, 7);
  const plan = { id: 'p1', steps: [{ key: 'n1/a', input: { b: 1, a: 2 } }] };
  const seal = sealMac(key, canonicalJson(plan));
  expect(verifyMac(key, canonicalJson({ steps: [{ input: { a: 2, b: 1 }, key: 'n1/a' }], id: 'p1' }), seal)).toBe(true);
  expect(verifyMac(key, canonicalJson({ ...plan, id: 'p2' }), seal)).toBe(false);
  expect(verifyMac(Buffer.alloc(32, 8), canonicalJson(plan), seal)).toBe(false);
  expect(verifyMac(key, canonicalJson(plan), '')).toBe(false);
});

describe('secrets at rest', () => {
  const key = MasterKey.create();
  const sealed = key.seal('hunter2', 'node/n1/ssh-password');

  test('open again in their place, and nowhere else', () => {
    expect(sealed).toMatch(/^v1\.[0-9a-f]{8}\.[\w-]{16}\.[\w-]+$/);
    expect(sealed).not.toContain('hunter2');
    expect(new MasterKey(key.export()).open(sealed, 'node/n1/ssh-password').toString()).toBe('hunter2');
    expect(() => key.open(sealed, 'node/n2/ssh-password')).toThrow('belongs to another place');
    expect(() => MasterKey.create().open(sealed, 'node/n1/ssh-password')).toThrow('this server has');
    expect(key.seal('hunter2', 'x')).not.toBe(key.seal('hunter2', 'x'));
  });

  test('changed or foreign text is refused without repeating it', () => {
    const parts = sealed.split('.');
    for (const wrong of [
      '',
      'plain',
      `v2.${parts.slice(1).join('.')}`,
      `${sealed}.x`,
      sealed.slice(0, -30),
      `${parts.slice(0, 3).join('.')}.${'A'.repeat(40)}`,
    ])
      expect(() => key.open(wrong, 'node/n1/ssh-password')).toThrow();
    expect(() => new MasterKey(Buffer.alloc(16))).toThrow('16 bytes, want 32');
  });

  test('an empty secret is a secret', () => {
    expect(key.open(key.seal('', 'c'), 'c')).toHaveLength(0);
  });
});

describe('secret outputs', () => {
  const server = BoxKey.create();
  const box = sealTo(server.publicKey, Buffer.from('join-token'), 'run/r1/n1/kubeadm.init/token');

  test('open for the server alone, in their place', () => {
    expect(box).toMatch(/^box\.v1\.[\w-]{43}\.[\w-]{16}\.[\w-]+$/);
    expect(BoxKey.load(server.keyPem()).open(box, 'run/r1/n1/kubeadm.init/token').toString()).toBe('join-token');
    expect(() => server.open(box, 'run/r2/n1/kubeadm.init/token')).toThrow('does not open');
    expect(() => BoxKey.create().open(box, 'run/r1/n1/kubeadm.init/token')).toThrow('does not open');
    expect(() => server.open(`${box.slice(0, -4)}AAAA`, 'run/r1/n1/kubeadm.init/token')).toThrow('does not open');
    expect(() => server.open('box.v2.a.b.c', 'x')).toThrow('not in the form');
    expect(() => sealTo(Buffer.alloc(3), Buffer.alloc(1), 'x')).toThrow('32 bytes');
  });
});

describe('tokens', () => {
  test('have one form and are found by their hash', () => {
    const token = newToken('admin', (n) => Buffer.alloc(n, 255));
    expect(token).toBe(`strata_admin_${'_'.repeat(32)}`);
    expect(tokenMatches(token, hashToken(token))).toBe(true);
    expect(tokenMatches(newToken('admin'), hashToken(token))).toBe(false);
    expect(tokenMatches(token, '')).toBe(false);
  });

  test('a join token carries the pin of the CA', () => {
    const token = newToken('join');
    expect(parseJoinToken(`${joinTokenText('ab'.repeat(32), token)}\n`)).toEqual({ caPin: 'ab'.repeat(32), token });
    for (const wrong of ['', token, `J1${'ab'.repeat(31)}.${token}`, `J2${'ab'.repeat(32)}.${token}`, `${joinTokenText('ab'.repeat(32), token)}x`])
      expect(() => parseJoinToken(wrong)).toThrow('no join token');
  });
});
