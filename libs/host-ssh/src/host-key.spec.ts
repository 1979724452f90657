import { createHmac } from 'node:crypto';
import { fingerprintOf, judgeHostKey, knownKeys } from './host-key';

const key = Buffer.from('AAAAC3NzaC1lZDI1NTE5AAAAIHqJ4b6mN3o5nS1l0yq1yJr0m2z3f4g5h6i7j8k9l0m1', 'base64');
const line = (names: string): string => `${names} ssh-ed25519 ${key.toString('base64')}`;
const where = { host: '10.0.0.11', port: 22 };

describe('judging a host key', () => {
  test('the fingerprint of the spec outranks known_hosts', () => {
    expect(judgeHostKey(key, { fingerprint: fingerprintOf(key), knownHosts: [], acceptNew: false }, where)).toEqual({ ok: true, accepted: 'fingerprint' });
    expect(judgeHostKey(key, { fingerprint: 'SHA256:other', knownHosts: [line('10.0.0.11')], acceptNew: true }, where)).toEqual({
      ok: false,
      expected: ['SHA256:other'],
    });
  });
  test('an unknown key is refused unless asked for; a changed one always', () => {
    expect(judgeHostKey(key, { knownHosts: [], acceptNew: false }, where)).toEqual({ ok: false, expected: [] });
    expect(judgeHostKey(key, { knownHosts: [], acceptNew: true }, where)).toEqual({ ok: true, accepted: 'new' });
    expect(judgeHostKey(Buffer.from('other'), { knownHosts: [line('10.0.0.11')], acceptNew: true }, where)).toEqual({
      ok: false,
      expected: [fingerprintOf(key)],
    });
  });
  test('known_hosts: ports, patterns, negation, hashed names', () => {
    const salt = Buffer.from('0123456789abcdef0123');
    const hashed = `|1|${salt.toString('base64')}|${createHmac('sha1', salt).update('10.0.0.11').digest('base64')}`;
    expect(knownKeys([line(hashed)], '10.0.0.11', 22)).toHaveLength(1);
    expect(knownKeys([line('[10.0.0.11]:2222')], '10.0.0.11', 2222)).toHaveLength(1);
    expect(knownKeys([line('10.0.0.*,!10.0.0.11')], '10.0.0.11', 22)).toHaveLength(0);
    expect(knownKeys([`@revoked ${line('10.0.0.11')}`, '# comment', line('10.0.1.?')], '10.0.1.1', 22)).toHaveLength(1);
  });
});
