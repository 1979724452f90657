import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { TaskError } from '@strata/tasks';
import { Helm } from './helm';
import { refsIn } from './helm-record';
import { FakeApi } from './testing/fake-api';

const kubeconfig = `apiVersion: v1
kind: Config
clusters: [{ name: c, cluster: { server: "https://127.0.0.1:1" } }]
users: [{ name: u, user: { token: canary-token } }]
contexts: [{ name: c, context: { cluster: c, user: u } }]
current-context: c
`;
const of = { release: 'app', namespace: 'shop' };
const limits = { timeoutMs: 5000, signal: new AbortController().signal };
let dir: string;
beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), 'helm-'))));
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** A stand-in for Helm's program, that keeps how it was called and does what the test says. */
function helm(script: string, config = kubeconfig): Helm {
  const binary = join(dir, 'stand-in');
  writeFileSync(binary, `#!/bin/sh\nprintf '%s\\n' "$@" > ${dir}/argv; env > ${dir}/env; cat > ${dir}/stdin; stat -c %a "$KUBECONFIG" > ${dir}/mode; cp "$KUBECONFIG" ${dir}/kept\n${script}\n`);
  chmodSync(binary, 0o755);
  return new Helm({ binary: () => Promise.resolve(binary), kubeconfig: () => Promise.resolve(config), scratch: join(dir, 'scratch'), chartDir: ({ chart }) => Promise.resolve(`/bundles/${chart}`) });
} // prettier-ignore
const read = (name: string): string => readFileSync(join(dir, name), 'utf8');
const failure = async (call: Promise<unknown>): Promise<TaskError> => {
  const error: unknown = await call.then(() => null, (e: unknown) => e); // prettier-ignore
  if (error instanceof TaskError) return error;
  throw new Error('it did not fail');
};

test('a release is asked for by name; values go by standard input, and nothing of the kubeconfig into arguments or the environment', async () => {
  const what = { bundle: 'demo', chart: 'charts/app', digest: 'a', values: { password: 'canary-value' }, description: 'demo app' };
  await helm('').upgrade(of, what, limits);
  expect(read('argv').split('\n')).toEqual(expect.arrayContaining(['upgrade', 'app', '/bundles/charts/app', '--install', '--namespace', 'shop', '--values', '-', '--timeout', '5s'])); // prettier-ignore
  expect([read('argv'), read('env')].join()).not.toMatch(/canary/);
  expect([read('stdin'), read('mode').trim(), read('kept')]).toEqual(['{"password":"canary-value"}', '600', kubeconfig]);
  expect(read('env')).not.toMatch(/^(HELM_PLUGINS|NODE_OPTIONS)=/m);
  expect(readdirSync(join(dir, 'scratch'))).toEqual([]);
});
test("what is released is read in Helm's own record of the newest revision, without its program; what is not there is nothing", async () => {
  const api = new FakeApi();
  await api.start();
  const at = '/api/v1/namespaces/shop/secrets';
  const head = (version: number): object => ({ metadata: { name: `sh.helm.release.v1.app.v${version}`, labels: { version: String(version) } } });
  const record = { version: 10, info: { status: 'pending-upgrade', description: 'demo app' }, manifest: '---\nkind: A\napiVersion: v1\nmetadata: { name: a }\n', chart: {} };
  const packed = Buffer.from(gzipSync(JSON.stringify(record)).toString('base64')).toString('base64');
  const app = helm('exit 1', api.kubeconfig);
  api.answers.set(`GET ${at}`, { status: 200, body: { items: null } });
  expect([await app.newest(of), await app.objects(of)]).toEqual([null, []]);
  api.answers.set(`GET ${at}`, { status: 200, body: { items: [head(10), head(9)] } });
  api.answers.set(`GET ${at}/sh.helm.release.v1.app.v10`, { status: 200, body: { kind: 'Secret', apiVersion: 'v1', data: { release: packed } } });
  expect(await app.newest(of)).toEqual({ revision: 10, status: 'pending-upgrade', description: 'demo app' });
  expect(await app.objects(of)).toEqual([{ apiVersion: 'v1', kind: 'A', name: 'a' }]);
  expect(existsSync(join(dir, 'argv'))).toBe(false);
  expect(api.asked.find((a) => a.path.startsWith(`${at}?`))).toMatchObject({ path: `${at}?labelSelector=owner%3Dhelm%2Cname%3Dapp`, accept: expect.stringContaining('PartialObjectMetadata') as string });
  api.answers.set(`GET ${at}/sh.helm.release.v1.app.v10`, { status: 200, body: { kind: 'Secret', apiVersion: 'v1', data: { release: 'bm8=' } } });
  expect((await failure(app.newest(of))).message).toBe("Helm's record sh.helm.release.v1.app.v10 cannot be read");
  await api.stop();
}); // prettier-ignore
test('a record that is as it was is not read again; one that was written since is', async () => {
  const api = new FakeApi();
  await api.start();
  const at = '/api/v1/namespaces/shop/secrets';
  const written = (resourceVersion: string, status: string): void => {
    const metadata = { name: 'sh.helm.release.v1.app.v1', labels: { version: '1' }, resourceVersion };
    const release = Buffer.from(gzipSync(JSON.stringify({ version: 1, info: { status }, manifest: '' })).toString('base64')).toString('base64');
    api.answers.set(`GET ${at}`, { status: 200, body: { items: [{ metadata }] } });
    api.answers.set(`GET ${at}/${metadata.name}`, { status: 200, body: { kind: 'Secret', apiVersion: 'v1', metadata, data: { release } } });
  };
  const reads = (): number => api.asked.filter((a) => a.path === `${at}/sh.helm.release.v1.app.v1`).length;
  const app = helm('exit 1', api.kubeconfig);
  written('7', 'pending-install');
  for (let i = 0; i < 3; i++) expect(await app.newest(of)).toMatchObject({ status: 'pending-install' });
  expect(reads()).toBe(1);
  written('8', 'deployed');
  expect(await app.newest(of)).toMatchObject({ status: 'deployed' });
  expect(reads()).toBe(2);
  await api.stop();
});
test("a failure has Helm's own words; an API that does not answer may be tried again", async () => {
  const refused = await failure(helm(`echo 'level=WARN msg="x"' >&2; echo "Error: values don't meet the specifications" >&2; exit 1`).rollback(of, 1, limits));
  expect([refused.code, refused.message, refused.retry]).toEqual(['helm-failed', "helm rollback app: values don't meet the specifications", false]);
  const away = await failure(helm('echo "Error: Kubernetes cluster unreachable: dial tcp 10.0.0.1:6443: connect: connection refused" >&2; exit 1').uninstall(of, limits)); // prettier-ignore
  expect([away.code, away.retry]).toEqual(['cluster-unreachable', true]);
});
test('a program that does not end is ended, and its kubeconfig goes with it', async () => {
  const stop = new AbortController();
  const running = helm('exec sleep 60').rollback(of, 1, { timeoutMs: 60_000, signal: stop.signal });
  while (!existsSync(join(dir, 'kept'))) await new Promise((resolve) => setTimeout(resolve, 20));
  stop.abort(new Error('cancelled'));
  await expect(running).rejects.toThrow('cancelled');
  expect(readdirSync(join(dir, 'scratch'))).toEqual([]);
});
test('what is uninstalled takes along what its hooks made', async () => {
  const api = new FakeApi();
  await api.start();
  const at = '/api/v1/namespaces/shop/configmaps/left';
  api.answers.set(`DELETE ${at}`, { status: 200, body: { kind: 'Status', status: 'Success' } });
  const hook = 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: left }\n';
  await helm(`[ "$2" = hooks ] && printf '${hook}'; exit 0`, api.kubeconfig).uninstall(of, limits);
  expect(api.asked.filter((a) => a.method === 'DELETE').map((a) => a.path.split('?')[0])).toEqual([at]);
  await api.stop();
});
test('a manifest names its objects', () => {
  expect(refsIn('---\napiVersion: v1\nkind: A\nmetadata: { name: a, namespace: n }\n---\n# nothing\n---\napiVersion: v1\nkind: B\nmetadata: { name: b }\n')).toEqual([
    { apiVersion: 'v1', kind: 'A', name: 'a', namespace: 'n' },
    { apiVersion: 'v1', kind: 'B', name: 'b' },
  ]);
}); // prettier-ignore
