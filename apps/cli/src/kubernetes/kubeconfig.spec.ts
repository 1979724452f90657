import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { mergeKubeconfig, readKubeconfig } from './kubeconfig';

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
