import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { FakeApi } from '@strata/cluster/testing';
import { PodNews } from '@strata/model';
import { hashToken } from '@strata/pki';
import { kubeconfigContext } from '../clusters/show-clusters';
import { eventually, specOf } from '../testing/planned-run';
import { TestServer } from '../testing/test-server';

let server: TestServer;
let api: FakeApi;
let clusterId: string;
let version = 1;
const viewer = 'strata_api_BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB';
beforeAll(async () => {
  [server, api] = [await TestServer.start(), new FakeApi()];
  await api.start();
  await server.edges.store.apiTokens.add({ hash: hashToken(viewer), name: 'eve', role: 'viewer' });
  clusterId = ((await server.call('POST', '/v1/clusters', { body: { spec: specOf('home') } })).body as { id: string }).id;
}, 60_000);
afterAll(async () => {
  await server.remove();
  await api.stop();
}, 30_000);

const pod = (name: string, phase = 'Running'): object => ({ metadata: { name, namespace: 'shop', uid: `u-${name}`, resourceVersion: String((version += 1)) }, spec: { nodeName: 'n1', containers: [{ name: 'main' }] }, status: { phase, containerStatuses: [{ name: 'main', ready: true, restartCount: 0, state: { running: {} } }] } }); // prettier-ignore
const answer = (path: string, body: unknown, status = 200): void => void api.answers.set(`GET ${path}`, { status, body });
const list = (...names: string[]): void => answer('/api/v1/pods', { metadata: { resourceVersion: String((version += 1)) }, items: names.map((n) => pod(n)) });
const keep = (kubeconfig: string | null): Promise<void> => server.edges.store.clusters.keepKubeconfig(clusterId, kubeconfig === null ? null : server.edges.keys.master.seal(kubeconfig, kubeconfigContext(clusterId))); // prettier-ignore

interface Stream {
  news: (PodNews & { id: string })[];
  ended: () => boolean;
  leave(): void;
  answer: IncomingMessage;
}
/** Reads the stream; with `paused` nothing of it is read until the answer is resumed. */
function listen(lastEventId?: string, paused = false): Promise<Stream> {
  const headers = { authorization: `Bearer ${viewer}`, ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }) };
  return new Promise((resolve, reject) => {
    const out = request(
      { host: '127.0.0.1', port: server.serving.ports.api, path: '/v1/clusters/home/pods/stream', headers, ca: server.ca, agent: false },
      (a) => {
        let [text, ended] = ['', false];
        const stream: Stream = { news: [], ended: () => ended, leave: () => void out.destroy(), answer: a };
        for (const end of ['end', 'error', 'close']) a.on(end, () => (ended = true));
        a.on('data', (part: Buffer) => {
          const messages = (text + part.toString()).split('\n\n');
          text = messages.pop() ?? '';
          for (const m of messages) {
            const field = (name: string): string | undefined => new RegExp(`^${name}: (.*)$`, 'm').exec(m)?.[1];
            const [event, id = '', data = ''] = ['event', 'id', 'data'].map(field);
            if (event !== undefined) stream.news.push({ ...PodNews.parse({ event, data: JSON.parse(data) as unknown }), id });
          }
        });
        if (paused) a.pause();
        resolve(stream);
      },
    );
    out.on('error', (error) => (out.destroyed ? undefined : reject(error)));
    out.end();
  });
}
const words = (s: Stream): string[] =>
  s.news.map(({ event, data }) =>
    event === 'pods' ? `pods ${data.pods.map((p) => p.name).join()}` : event === 'state' ? `state ${data.behind ?? 'well'}` : `${event} ${data.name}`,
  );
const hears = (s: Stream, ...expected: string[]): Promise<unknown> =>
  eventually(() => JSON.stringify(words(s)) === JSON.stringify(expected)).catch(() => expect(words(s)).toEqual(expected));
const watched = (): Promise<unknown> => eventually(() => api.watches.size === 1);

test('before there is a Kubernetes there are none; names that are none are refused', async () => {
  for (const path of ['', '/stream', '/shop/a/events', '/shop/a/logs'])
    expect(await server.call('GET', `/v1/clusters/home/pods${path}`)).toMatchObject({ status: 409, body: { code: 'no-kubeconfig' } });
  expect(await server.call('GET', '/v1/clusters/none/pods/stream')).toMatchObject({ status: 404 });
  for (const path of ['/Shop/a/events', '/shop/a,b/events', '/shop/..%2Fa/logs', '/shop/a/logs?tail=x', '/shop/a/logs?follow=perhaps'])
    expect(await server.call('GET', `/v1/clusters/home/pods${path}`)).toMatchObject({ status: 400 });
});
describe('of a cluster that runs', () => {
  beforeAll(() => keep(api.kubeconfig));

  test('every pod, with what it uses', async () => {
    list('a', 'b');
    answer('/apis/metrics.k8s.io/v1beta1/pods', { items: [{ metadata: { namespace: 'shop', name: 'a' }, containers: [{ usage: { cpu: '3m', memory: '2Ki' } }] }] });
    const { status, body } = await server.call('GET', '/v1/clusters/home/pods', { token: viewer });
    expect({ status, body }).toMatchObject({ status: 200, body: { cluster: 'home', behind: null, pods: [{ name: 'a', node: 'n1', usage: { cpuMillis: 3, memoryBytes: 2048 } }, { name: 'b', usage: null }] } });
  });
  test('the events of a pod, for a viewer; of one that is not there none', async () => {
    answer('/api/v1/namespaces/shop/pods/node.a', pod('node.a'));
    answer('/api/v1/namespaces/shop/events', { items: [{ metadata: {}, involvedObject: {}, type: 'Warning', reason: 'BackOff', message: 'again', lastTimestamp: '2026-11-29T20:00:00Z', firstTimestamp: '2026-11-29T19:00:00Z', count: 4 }] });
    expect(await server.call('GET', '/v1/clusters/home/pods/shop/node.a/events', { token: viewer })).toEqual({
      status: 200,
      body: { cluster: 'home', namespace: 'shop', name: 'node.a', events: [{ at: Date.parse('2026-11-29T20:00:00Z'), firstAt: Date.parse('2026-11-29T19:00:00Z'), type: 'Warning', reason: 'BackOff', message: 'again', count: 4 }] },
    });
    answer('/api/v1/namespaces/shop/events', { items: [] });
    expect(await server.call('GET', '/v1/clusters/home/pods/shop/gone/events')).toMatchObject({ status: 404, body: { code: 'not-found', detail: 'there is no pod gone in shop', remedy: 'see which there are: strata pods' } });
  });
  test('the logs of a pod, for an operator', async () => {
    answer('/api/v1/namespaces/shop/pods/a', pod('a'));
    answer('/api/v1/namespaces/shop/pods/a/log', 'one\ntwo\n');
    expect(await server.call('GET', '/v1/clusters/home/pods/shop/a/logs', { token: viewer })).toMatchObject({ status: 403, body: { code: 'forbidden' } });
    const { status, body } = await server.call('GET', '/v1/clusters/home/pods/shop/a/logs?tail=7&since=60&previous=true');
    expect([status, body]).toEqual([200, ['one', 'two'].map((text) => `${JSON.stringify({ pod: 'a', container: 'main', text })}\n`).join('')]);
    const asked = new URL(api.asked.findLast((a) => a.path.includes('/log'))?.path ?? '', 'https://x').searchParams;
    expect([asked.get('tailLines'), asked.get('sinceSeconds'), asked.get('previous')]).toEqual(['7', '60', 'true']);
    expect(await server.call('GET', '/v1/clusters/home/pods/shop/gone/logs')).toMatchObject({ status: 404, body: { remedy: 'see which there are: strata pods' } });
    expect(await server.call('GET', '/v1/clusters/home/pods/shop/a/logs?container=nope')).toMatchObject({ status: 409, body: { code: 'no-container', remedy: 'name one of: main' } });
  });

  test('a stream: all pods, then what changes; who comes back hears what came since, or all', async () => {
    const s = await listen();
    await hears(s, 'pods a,b');
    await watched();
    api.tell('ADDED', pod('c'));
    await hears(s, 'pods a,b', 'pod c');
    api.tell('DELETED', pod('b'));
    await hears(s, 'pods a,b', 'pod c', 'gone b');
    s.leave();
    const back = await listen(s.news[1]?.id);
    await hears(back, 'gone b');
    api.tell('MODIFIED', pod('a', 'Failed'));
    await hears(back, 'gone b', 'pod a');
    const strangers = await Promise.all(['9-9.1', 'x', '0', `${(s.news[1]?.id ?? '').split('.')[0]}.99999`].map((id) => listen(id)));
    for (const each of strangers) await hears(each, 'pods a,c');
    for (const each of [back, ...strangers]) each.leave();
  });
  test('a stream tells when the watch falls behind, and when it is the newest again', async () => {
    const s = await listen();
    await hears(s, 'pods a,c');
    await watched();
    answer('/api/v1/pods', { kind: 'Status', message: 'starting', code: 500 }, 500);
    api.cut();
    await eventually(() => words(s).some((w) => /^state (?!well)/.test(w)));
    list('a');
    await eventually(() => words(s).includes('state well') && words(s).includes('gone c'));
    s.leave();
  });
  test('a reader that does not read hears of a pod once, however often it changed', async () => {
    await watched();
    const s = await listen(undefined, true);
    const many = Array.from({ length: 2_000 }, (_, i) => ({ ...pod(`p${i}`), padding: '' }));
    const told = (n: number): object => ({ ...many[n], status: { phase: 'Running', conditions: [{ type: 'PodScheduled', status: 'False', message: 'x'.repeat(290) }] } });
    for (let round = 0; round < 5; round += 1) {
      for (let i = 0; i < many.length; i += 1) api.tell('MODIFIED', { ...told(i), metadata: { name: `p${i}`, namespace: 'shop', resourceVersion: String((version += 1)) }, spec: { nodeName: `n${round}`, containers: [] } });
      await new Promise((resolve) => setTimeout(resolve, 700));
    }
    s.answer.resume();
    const last = (): number => new Set(s.news.flatMap((n) => (n.event === 'pod' && n.data.node === 'n4' ? [n.data.name] : []))).size;
    await eventually(() => last() === many.length);
    expect(s.news.length).toBeLessThan(5 * many.length); // what lay in buffers of the kernel is heard as it was
    s.leave();
  });
  test('a stream ends with the cluster that it was of, and with the server', async () => {
    const s = await listen();
    await eventually(() => s.news.length > 0);
    await server.down();
    await eventually(() => s.ended() && api.watches.size === 0);
    await server.up();
    const again = await listen(s.news[0]?.id); // of another life of the server
    await eventually(() => words(again)[0]?.startsWith('pods ') === true);
    again.leave();
  });
}); // prettier-ignore
