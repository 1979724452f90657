import { PodWatch } from './pod-watch';
import { FakeApi } from './testing/fake-api';

let api: FakeApi;
let watch: PodWatch;
beforeEach(async () => {
  api = new FakeApi();
  await api.start();
  list('a');
});
afterEach(async () => {
  watch.stop();
  await api.stop();
});
let version = 1;
const pod = (name: string, phase = 'Running'): object => ({ apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'shop', uid: name, resourceVersion: String((version += 1)) }, spec: { containers: [{ name: 'main' }] }, status: { phase, startTime: '2026-11-29T20:00:00Z' } }); // prettier-ignore
const list = (...names: string[]): void =>
  void api.answers.set('GET /api/v1/pods', { status: 200, body: { kind: 'PodList', apiVersion: 'v1', metadata: { resourceVersion: String((version += 1)) }, items: names.map((n) => pod(n)) } }); // prettier-ignore
async function begun(everyMs?: number): Promise<void> {
  watch = new PodWatch(api.kubeconfig, () => Date.now(), everyMs);
  await watch.start();
}
/** Waits until the watch has these pods, as `name state`. */
async function sees(...expected: string[]): Promise<void> {
  let seen: string[] = [];
  for (const end = Date.now() + 10_000; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, 30))) {
    seen = (await watch.look()).pods.map((p) => `${p.name} ${p.state}`);
    if (JSON.stringify(seen) === JSON.stringify(expected)) return;
  }
  expect(seen).toEqual(expected);
}
const watched = async (): Promise<void> => {
  while (api.watches.size === 0) await new Promise((resolve) => setTimeout(resolve, 20));
};

test('pods come, change and go as the API says', async () => {
  await begun();
  await sees('a Running');
  await watched();
  api.tell('ADDED', pod('b', 'Pending'));
  api.tell('MODIFIED', pod('a', 'Failed'));
  await sees('a Failed', 'b Pending');
  expect((await watch.look()).pods.map((p) => p.startedAt)).toEqual([Date.parse('2026-11-29T20:00:00Z'), Date.parse('2026-11-29T20:00:00Z')]);
  api.tell('DELETED', pod('a'));
  await sees('b Pending');
  expect((await watch.look()).behind).toBeNull();
});
test('an API server that restarts: what was known stays, with the reason, and what changed meanwhile is found', async () => {
  await begun();
  await watched();
  api.answers.set('GET /api/v1/pods', { status: 500, body: { kind: 'Status', message: 'starting', code: 500 } });
  api.tell('ERROR', { kind: 'Status', code: 410, message: 'too old' });
  api.cut();
  while ((await watch.look()).behind === null) await new Promise((resolve) => setTimeout(resolve, 20));
  await sees('a Running');
  list('b');
  await sees('b Running');
  expect((await watch.look()).behind).toBeNull();
});
test('a history that is lost (410) is listed anew', async () => {
  await begun();
  await watched();
  list('a', 'c');
  api.tell('ERROR', { kind: 'Status', apiVersion: 'v1', metadata: {}, code: 410, message: 'too old resource version' });
  for (const response of api.watches) response.end();
  await sees('a Running', 'c Running');
});
test('a watch that went silent is noticed by the next list', async () => {
  await begun(300);
  await watched();
  list('z');
  await sees('z Running');
});
test('as many events as anybody has, and no more pods than there are', async () => {
  await begun();
  await watched();
  for (let i = 0; i < 20_000; i += 1) api.tell('MODIFIED', pod(`p${i % 20}`));
  for (let i = 0; i < 20; i += 1) api.tell('DELETED', pod(`p${i}`));
  api.tell('MODIFIED', pod('a', 'Succeeded'));
  await sees('a Completed');
}, 60_000);
test('who listens is told of each change, and of a watch that fails, until he goes', async () => {
  await begun();
  await watched();
  let told = 0;
  const go = watch.onNews(() => (told += 1));
  api.tell('ADDED', pod('b'));
  while (told === 0) await new Promise((resolve) => setTimeout(resolve, 20));
  told = 0;
  api.cut();
  while (told === 0) await new Promise((resolve) => setTimeout(resolve, 20));
  go();
  told = 0;
  await sees('a Running');
  expect(told).toBe(0);
});
test('what a pod uses is told where somebody measures', async () => {
  await begun();
  expect((await watch.look()).pods.map((p) => p.usage)).toEqual([null]);
  watch.stop();
  const measured = { metadata: { namespace: 'shop', name: 'a' }, containers: [{ usage: { cpu: '3m', memory: '2Ki' } }] };
  api.answers.set('GET /apis/metrics.k8s.io/v1beta1/pods', { status: 200, body: { items: [measured] } });
  await begun();
  expect((await watch.look()).pods.map((p) => p.usage)).toEqual([{ cpuMillis: 3, memoryBytes: 2048 }]);
});
test('workloads are asked for their release when one is met that is not known; of Jobs and nodes there is nothing to ask', async () => {
  let now = Date.now();
  const owned = (name: string, kind: string): object => ({ ...pod(name), metadata: { name, namespace: 'shop', uid: name, ownerReferences: [{ kind, name: 'of', controller: true }] } }); // prettier-ignore
  api.answers.set('GET /api/v1/pods', { status: 200, body: { metadata: { resourceVersion: '1' }, items: [owned('job', 'Job'), owned('static', 'Node')] } });
  watch = new PodWatch(api.kubeconfig, () => now);
  await watch.start();
  await watch.look();
  const asked = (): number => api.asked.filter((a) => a.path.startsWith('/apis/apps/v1')).length;
  expect(asked()).toBe(0);
  await watched();
  api.tell('ADDED', owned('db-0', 'StatefulSet'));
  await sees('db-0 Running', 'job Running', 'static Running');
  expect(asked()).toBeGreaterThan(0);
  const before = asked();
  now += 9_999;
  await watch.look();
  expect(asked()).toBe(before);
});
test('what is stopped hears nothing any more', async () => {
  await begun();
  await watched();
  watch.stop();
  while (api.watches.size > 0) await new Promise((resolve) => setTimeout(resolve, 20));
});
