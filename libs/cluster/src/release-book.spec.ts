import { gzipSync } from 'node:zlib';
import { ReleaseBook } from './release-book';
import { FakeApi } from './testing/fake-api';

let api: FakeApi;
beforeEach(async () => {
  api = new FakeApi();
  await api.start();
  const kinds = { '/apis/apps/v1': [['deployments', 'Deployment'], ['statefulsets', 'StatefulSet'], ['daemonsets', 'DaemonSet']], '/apis/batch/v1': [['cronjobs', 'CronJob']] }; // prettier-ignore
  for (const [path, resources] of Object.entries(kinds)) {
    answer(path, { kind: 'APIResourceList', groupVersion: path.slice(6), resources: resources.map(([name, kind]) => ({ name, kind, namespaced: true, singularName: '', verbs: [] })) });
    for (const [name = ''] of resources) answer(`${path}/${name}`, { kind: 'List', items: [] });
  }
  answer('/api/v1/configmaps', { kind: 'ConfigMapList', items: [] });
}); // prettier-ignore
afterEach(() => api.stop());
const answer = (path: string, body: object): void => void api.answers.set(`GET ${path}`, { status: 200, body });
const record = (name: string, version: number, [status, at]: [string, number]): object => ({
  metadata: {
    name: `sh.helm.release.v1.${name}.v${version}`,
    namespace: 'office',
    labels: { owner: 'helm', name, version: String(version), status, modifiedAt: String(at) },
  },
});

test('a cluster without releases has none: its empty list is null', async () => {
  answer('/api/v1/secrets', { kind: 'PartialObjectMetadataList', items: null });
  expect(await new ReleaseBook(api.kubeconfig).look()).toEqual([]);
});
test('a workload of the newest revision that somebody took away is told of; a record that did not change is read once', async () => {
  const one = (name: string): string => `---\napiVersion: apps/v1\nkind: Deployment\nmetadata: { name: ${name} }\n`;
  const release = Buffer.from(
    gzipSync(JSON.stringify({ version: 1, info: { status: 'deployed' }, manifest: one('web') + one('db') })).toString('base64'),
  ).toString('base64');
  const head = record('db', 1, ['deployed', 50]) as { metadata: object };
  const metadata = { ...head.metadata, resourceVersion: '7' };
  answer('/api/v1/secrets', { items: [{ metadata }] });
  answer('/api/v1/namespaces/office/secrets/sh.helm.release.v1.db.v1', { kind: 'Secret', apiVersion: 'v1', metadata, data: { release } });
  const annotations = { 'meta.helm.sh/release-name': 'db', 'meta.helm.sh/release-namespace': 'office' };
  answer('/apis/apps/v1/deployments', { items: [{ metadata: { name: 'db', annotations }, spec: { replicas: 0 }, status: {} }] });
  const book = new ReleaseBook(api.kubeconfig);
  for (let i = 0; i < 2; i++) {
    const [db] = await book.look();
    expect(db?.workloads.map((w) => [w.name, w.missing])).toEqual([['db', null], ['web', 'it is not there']]); // prettier-ignore
  }
  expect(api.asked.filter((a) => a.path.includes('/secrets/'))).toHaveLength(1);
});
test('a release is its records, its note and its workloads', async () => {
  answer('/api/v1/secrets', { items: [record('db', 10, ['deployed', 50]), record('db', 9, ['superseded', 40]), record('web', 1, ['pending-install', 60])] });
  const made = { bundle: 'office', component: 'db', version: '1.0.0', given: { a: 1 } };
  answer('/api/v1/configmaps', { items: [{ metadata: { name: 'strata-release-db', namespace: 'office' }, data: { good: '10', 'made-10': JSON.stringify(made), 'made-9': 'not json' } }] });
  const annotations = { 'meta.helm.sh/release-name': 'db', 'meta.helm.sh/release-namespace': 'office' };
  const stopped = { ...annotations, 'strata.local/stopped': '{"at":7,"replicas":2}' };
  answer('/apis/apps/v1/statefulsets', { items: [{ metadata: { name: 'db', annotations: stopped }, spec: { replicas: 0 } }] });
  answer('/apis/apps/v1/deployments', { items: [{ metadata: { name: 'web', annotations }, spec: { replicas: 1 }, status: {} }, { metadata: { name: 'other' } }] });
  const [db, web] = await new ReleaseBook(api.kubeconfig).look();
  const at = (version: number): object => ({ name: `sh.helm.release.v1.db.v${version}`, version: '' });
  expect(db).toEqual({
    name: 'db', namespace: 'office', note: { good: 10, made: new Map([[10, made]]) },
    revisions: [{ revision: 9, status: 'superseded', at: 40_000, record: at(9) }, { revision: 10, status: 'deployed', at: 50_000, record: at(10) }],
    workloads: [
      { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', missing: '0 of 1 updated', stoppedAt: null },
      { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'db', missing: null, stoppedAt: 7 },
    ],
  }); // prettier-ignore
  expect(web).toMatchObject({ name: 'web', note: { good: 0 }, workloads: [] });
  expect(api.asked.find((a) => a.path.startsWith('/api/v1/secrets'))).toMatchObject({ accept: expect.stringContaining('PartialObjectMetadataList') as string });
}); // prettier-ignore
test('notes alone are asked for without a list of any workload', async () => {
  answer('/api/v1/secrets', { items: [record('db', 1, ['deployed', 50])] });
  answer('/api/v1/configmaps', { items: [{ metadata: { name: 'strata-release-db', namespace: 'office' }, data: { good: '1' } }] });
  expect((await new ReleaseBook(api.kubeconfig).notes()).map((note) => note.good)).toEqual([1]);
  expect(api.asked.map((a) => a.path.split('?')[0])).toEqual(['/api/v1/secrets', '/api/v1/configmaps']);
});
test('an API that says no is an error in its words', async () => {
  api.answers.set('GET /api/v1/secrets', { status: 403, body: { kind: 'Status', message: 'secrets is forbidden', code: 403 } });
  await expect(new ReleaseBook(api.kubeconfig).look()).rejects.toThrow('the API answered 403: secrets is forbidden');
});
