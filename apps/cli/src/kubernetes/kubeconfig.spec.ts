import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { forgetKubeconfig, mergeKubeconfig, readKubeconfig } from './kubeconfig';

const given = (server: string): string => `apiVersion: v1
kind: Config
clusters: [{ name: kubernetes, cluster: { server: "${server}", tls-server-name: api.x } }]
users: [{ name: kubernetes-admin, user: { client-key-data: S0VZ } }]
contexts: [{ name: kubernetes-admin@kubernetes, context: { cluster: kubernetes, user: kubernetes-admin } }]
current-context: kubernetes-admin@kubernetes
`;
let dir: string;
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'strata-kube-'))));
afterEach(() => rmSync(dir, { recursive: true }));

test('clusters of the same inner names live in one file; a newer one takes its own place', () => {
  const path = join(dir, 'sub', 'config');
  const env = { KUBECONFIG: path };
  mergeKubeconfig(readKubeconfig(given('https://a:1'), 'a'), env);
  mergeKubeconfig(readKubeconfig(given('https://b:1'), 'b'), env);
  expect(mergeKubeconfig(readKubeconfig(given('https://a:2'), 'a'), env)).toEqual({ path, context: 'strata-a' });
  const merged = parse(readFileSync(path, 'utf8')) as {
    clusters: { name: string; cluster: { server: string } }[];
    users: unknown[];
    'current-context': string;
  };
  expect(merged.clusters.map((c) => [c.name, c.cluster.server])).toEqual([['strata-b', 'https://b:1'], ['strata-a', 'https://a:2']]); // prettier-ignore
  expect(merged.users).toHaveLength(2);
  expect(merged['current-context']).toBe('strata-a');
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test('a cluster that is gone leaves the file, and all else in it stays; one of the same name with another CA is not it', () => {
  const path = join(dir, 'config');
  const env = { KUBECONFIG: path };
  const of = (name: string, ca: string) => readKubeconfig(given('https://x:1').replace('tls-server-name: api.x', `certificate-authority-data: ${ca}`), name);
  expect(forgetKubeconfig(env, { own: of('a', 'QQ==') })).toBeNull();
  mergeKubeconfig(of('b', 'Qg=='), env);
  mergeKubeconfig(of('a', 'QQ=='), env);
  expect(forgetKubeconfig(env, { own: of('a', 'another') })).toBeNull();
  expect(forgetKubeconfig(env, { own: of('a', 'QQ==') })).toEqual({ path, contexts: ['strata-a'] });
  const left = parse(readFileSync(path, 'utf8')) as Record<string, { name: string }[]>;
  expect([left['clusters'], left['users'], left['contexts']].map((all) => all?.map((x) => x.name))).toEqual([['strata-b'], ['strata-b'], ['strata-b']]);
  expect(left['current-context']).toBe('');
});
test('with a control server go the contexts that it gave, and no others', () => {
  const path = join(dir, 'config');
  const env = { KUBECONFIG: path };
  mergeKubeconfig(readKubeconfig(given('https://a:1'), 'a'), env, '/srv/one');
  mergeKubeconfig(readKubeconfig(given('https://b:1'), 'b'), env, '/srv/two');
  expect(forgetKubeconfig(env, { home: '/srv/one' })).toEqual({ path, contexts: ['strata-a'] });
  expect(readFileSync(path, 'utf8')).toMatch(/current-context: strata-b/);
});
