import { Scrub } from './scrub';

const secret = 'canary-Zq8!w"x/9f2e77d1';
const bytes = Array.from({ length: 32 }, (_, i) => (i * 37 + 11) & 0xff);
const master = String.fromCharCode(...bytes);
const key = `-----BEGIN PRIVATE KEY-----\n${'Q'.repeat(30)}1234567890abcdefABCDEF1234567890abcd\n${'R'.repeat(30)}0987654321fedcbaFEDCBA0987654321dcba\n-----END PRIVATE KEY-----\n`;
const scrubbed = (text: string): string => new Scrub([secret, master, key, 'short']).text(text);
const b64 = (text: string): string => Buffer.from(text).toString('base64');

test.each([
  ['as it is', `before ${secret} after`],
  ['in JSON', JSON.stringify({ msg: `login with ${secret} failed` })],
  ['in a URL', `https://x/?p=${encodeURIComponent(secret)}&q`],
  ['in hex', `0x${Buffer.from(secret).toString('hex')}`],
  ['in base64', `value: ${b64(secret)} end`],
  ['in base64 behind one byte', b64(`u${secret}tail`)],
  ['in base64 behind two bytes', b64(`us${secret}tail`)],
  ['in base64 for URLs', Buffer.from(`user:${secret}`).toString('base64url')],
  ['broken over lines', secret.slice(0, 9) + '\n' + secret.slice(9)],
  ['broken over lines of a journal', `2026-11-28T16:00:01+0000 n1 app[12]: ${secret.slice(0, 9)}\n2026-11-28T16:00:01+0000 n1 app[12]: ${secret.slice(9)}`],
  ['broken over lines in JSON', JSON.stringify(`${secret.slice(0, 5)}\n${secret.slice(5, 12)}\n${secret.slice(12)}`)],
  ['base64, broken over lines', b64(`x${secret}tail`).replace(/(.{10})/g, '$1\n')],
])('a known secret is taken out %s', (_, text) => {
  const out = scrubbed(text);
  expect(out).toContain('[redacted]');
  const bare = (t: string): string => t.replace(/\s+|\\n|2026\S+ n1 app\[12\]: /g, '');
  for (const form of [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret), Buffer.from(secret).toString('hex'), b64(secret).slice(4, -6)]) expect(bare(out)).not.toContain(form);
  expect(bare(out).length).toBeLessThan(bare(text).length);
}); // prettier-ignore
test('bytes that are no text, in hex and base64', () => {
  const out = scrubbed(`${Buffer.from(bytes).toString('hex')} ${Buffer.from(bytes).toString('base64')} ${Buffer.from([1, ...bytes, 2]).toString('base64')}`);
  for (const form of [Buffer.from(bytes).toString('hex'), Buffer.from(bytes).toString('base64').slice(4, -6)]) expect(out).not.toContain(form);
  expect(out.match(/redacted/g)).toHaveLength(3);
});
test('a long one that a log cut off in the middle', () => {
  const long = Buffer.from(key.repeat(2)).toString('base64');
  const out = new Scrub([long]).text(`client-key: ${long.slice(0, 90)}\nrest: ${long.slice(17, 99)}`);
  expect(out).toBe('client-key: [redacted]\nrest: [redacted]');
});
test('a key is a secret in each of its lines', () => {
  const line = key.split('\n')[2] ?? '';
  expect(scrubbed(`one line: ${line}`)).toBe('one line: [redacted]');
  expect(scrubbed(JSON.stringify({ key }))).not.toMatch(/QQQ|RRR/);
});
test.each([
  ['-----BEGIN EC PRIVATE KEY-----\nabc\n-----END EC PRIVATE KEY-----', '-----BEGIN EC PRIVATE KEY-----[redacted]'],
  ['token abcdef.0123456789abcdef used', 'token [redacted] used'],
  [`J1${'a'.repeat(64)}.strata_join_${'x'.repeat(32)}`, 'J1[redacted]'],
  [`strata_admin_${'Ab-_'.repeat(8)}`, 'strata_admin_[redacted]'],
  ['Authorization: Bearer abcdefghijklmnop.q', 'Authorization: Bearer [redacted]'],
  ['postgresql://strata:geheimnis@db/strata', 'postgresql://strata:[redacted]@db/strata'],
  ['root:$6$saltsalt$abcdefghijklmnopqrstuvwxyz0123456789:1', 'root:[redacted]:1'],
  ['    client-key-data: LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0tCk1J', '    client-key-data: [redacted]'],
  ['{"password":"hunter2hunter2","user":"ops"}', '{"password":"[redacted]","user":"ops"}'],
  ['registry_password = s3cretvalue', 'registry_password = [redacted]'],
])('what looks like a secret goes by its form: %s', (text, out) => expect(new Scrub([]).text(text)).toBe(out));
test('what is none stays, to the letter', () => {
  const text =
    'E1128 16:00:00 1 kubelet.go:12] "Error" err="pod \\"coredns-7d764666f9-abcde\\" not found"\nsha256:0123456789abcdef\nthe token is expired\ntoken=<secret mint:bootstrap-token:n2>\nimage registry.k8s.io/pause:3.10.2\n';
  const scrub = new Scrub([secret]);
  expect(scrub.text(text)).toBe(text);
  expect(scrub.taken).toBe(0);
});
test('a megabyte of log with a hundred secrets takes no more than a moment', () => {
  const text = 'E1128 16:00:00.000000 1 kubelet.go:12] "Error syncing pod" err="something went wrong"\n'.repeat(12_000);
  const scrub = new Scrub(Array.from({ length: 100 }, (_, i) => `secret-number-${i}-${'x'.repeat(20)}`));
  const began = performance.now();
  expect(scrub.text(text)).toHaveLength(text.length);
  expect(performance.now() - began).toBeLessThan(15_000);
});
