import { bypassesProxy, certificatesIn, CaSource, outsideOf, ProxySpec } from './outside';

const pem = '-----BEGIN CERTIFICATE-----\nTUlJQg==\n-----END CERTIFICATE-----\n';
const words = (value: unknown): string[] => ProxySpec.safeParse(value).error?.issues.map((i) => i.message) ?? [];

test('one proxy serves http and https', () => {
  const network = { podCidr: '10.244.0.0/16', serviceCidr: '10.96.0.0/12', caCertificates: [] };
  const proxy = ProxySpec.parse({ http: 'http://proxy.example:3128/' });
  expect(outsideOf({ network: { ...network, proxy }, nodes: [] }).proxy).toMatchObject({
    http: 'http://proxy.example:3128',
    https: 'http://proxy.example:3128',
  });
  expect(outsideOf({ network, nodes: [] })).toEqual({ proxy: null, certificates: [] });
});
test('NO_PROXY is computed from nodes, ranges, names and servers, ahead of what the spec says', () => {
  const spec = {
    network: { podCidr: '10.244.0.0/16', serviceCidr: '10.96.0.0/12', caCertificates: [], proxy: ProxySpec.parse({ http: 'http://p:1', noProxy: ['.corp.example'] }) },
    nodes: [{ name: 'n1', address: '10.0.0.11' }, { name: 'n2', address: 'eth0', ssh: { host: 'n2.corp.example' } }],
  };
  expect(outsideOf(spec, ['10.0.0.12', '10.0.0.5']).proxy?.noProxy).toEqual([
    'localhost', '127.0.0.0/8', '.svc', '.cluster.local', '.strata.internal', '10.244.0.0/16', '10.96.0.0/12', 'n1', '10.0.0.11', 'n2', 'n2.corp.example', '10.0.0.12',
    '10.0.0.5', '.corp.example',
  ]);
}); // prettier-ignore
test('a password in the address is refused, and the words do not repeat it', () => {
  expect(words({ http: 'http://me:hunter2@proxy.example:3128' })).toEqual([expect.stringMatching(/no user and password.*cntlm/s)]);
  expect(words({ http: 'http://me:hunter2@proxy.example:3128' }).join()).not.toContain('hunter2');
  expect(words({ http: 'socks5://proxy.example' })).toEqual([expect.stringContaining('must look like http://')]);
  expect(words({ noProxy: [] })).toEqual([expect.stringContaining('names no proxy')]);
  expect(words({ http: 'http://p"; touch /x' })).not.toEqual([]);
});
test.each([
  ['n1', ['n1'], true],
  ['api.home.strata.internal', ['.strata.internal'], true],
  ['strata.internal', ['.strata.internal'], true],
  ['notstrata.internal', ['.strata.internal'], false],
  ['a.corp.example', ['*.corp.example'], true],
  ['10.1.2.3', ['10.0.0.0/8'], true],
  ['11.1.2.3', ['10.0.0.0/8'], false],
  ['ten.example', ['10.0.0.0/8'], false],
  ['mirror.example', ['mirror.example:8443'], false],
  ['anything.example', [], false],
])('%s past %j: %s', (host, noProxy, expected) => {
  expect(bypassesProxy({ host, port: '443' }, noProxy)).toBe(expected);
});
test('certificates are taken out of a text one by one, and keys are refused', () => {
  expect(certificatesIn(`# corp root\r\n${pem.replaceAll('\n', '\r\n')}more\n${pem}`)).toEqual([pem, pem]);
  expect(CaSource.safeParse(pem).success).toBe(true);
  expect(CaSource.safeParse('file:ca.pem').success).toBe(true);
  expect(CaSource.safeParse('nothing').success).toBe(false);
  expect(CaSource.safeParse(`${pem}-----BEGIN PRIVATE KEY-----\nx\n`).success).toBe(false);
});
