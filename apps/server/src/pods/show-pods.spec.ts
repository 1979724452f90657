import { jest } from '@jest/globals';
import { FakeApi } from '@strata/cluster/testing';
import { TaskError } from '@strata/tasks';
import { ShowPods } from './show-pods';

let api: FakeApi;
let stopping: AbortController;
let kubeconfig: string | Error;
let pods: ShowPods;
beforeEach(async () => {
  api = new FakeApi();
  await api.start();
  api.answers.set('GET /api/v1/pods', { status: 200, body: { metadata: { resourceVersion: '1' }, items: [] } });
  [stopping, kubeconfig] = [new AbortController(), api.kubeconfig];
  pods = Object.assign(new ShowPods(), {
    edges: { now: () => Date.now(), epoch: 7, stopping: stopping.signal, log: { error: () => undefined } },
    clusters: { running: () => Promise.resolve({ id: 'c', name: 'home' }) },
    reach: { kubeconfig: () => (typeof kubeconfig === 'string' ? Promise.resolve(kubeconfig) : Promise.reject(kubeconfig)) },
  });
});
afterEach(async () => {
  stopping.abort();
  jest.useRealTimers();
  await api.stop();
});
const watches = async (count: number): Promise<void> => {
  for (const end = performance.now() + 5_000; api.watches.size !== count && performance.now() < end;) await new Promise((resolve) => setImmediate(resolve));
  expect(api.watches.size).toBe(count);
};

test('a watch that nobody asks for ends after ten minutes; not while somebody holds it', async () => {
  jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask', 'setInterval', 'performance', 'Date'] });
  await pods.run('home');
  await watches(1);
  const held = await pods.hold('home');
  for (let minute = 0; minute < 33; minute += 1) {
    jest.advanceTimersByTime(60_000);
    await watches(1);
  }
  held.release();
  jest.advanceTimersByTime(590_000);
  await watches(1);
  expect(held.over.aborted).toBe(false);
  jest.advanceTimersByTime(10_000);
  await watches(0);
  expect(held.over.aborted).toBe(true);
});
test('who holds the pods of a cluster that is uninstalled, or made anew, is told; a database that is silent for a moment ends nothing', async () => {
  const first = await pods.hold('home');
  await first.check();
  kubeconfig = new Error('the database does not answer');
  await first.check();
  expect(first.over.aborted).toBe(false);
  kubeconfig = new TaskError('no-kubeconfig', 'none is kept', { remedy: 'wait' });
  await first.check();
  expect(first.over.aborted).toBe(true);
  kubeconfig = api.kubeconfig;
  const second = await pods.hold('home');
  kubeconfig = `${api.kubeconfig} `;
  await pods.run('home');
  expect([second.over.aborted, second.feed.life, (await pods.hold('home')).feed.life]).toEqual([true, '7-2', '7-3']);
  await watches(1);
});
test('all ends with the server', async () => {
  const held = await pods.hold('home');
  stopping.abort();
  expect(held.over.aborted).toBe(true);
  await watches(0);
});
