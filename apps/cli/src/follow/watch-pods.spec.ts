import { jest } from '@jest/globals';
import { ApiError, ConnectionError, type ApiClient, type Reconnecting } from '@strata/api-client';
import type { PodNews, PodView } from '@strata/model';
import { paper } from '../testing/paper';
import { podsFrame, watchPods } from './watch-pods';

const pod = (name: string, more: Partial<PodView> = {}): PodView => ({ name, namespace: 'shop', node: 'n1', layer: 'containerized', release: null, state: 'Running', ready: { containers: 1, of: 1 }, restarts: 0, startedAt: null, trouble: null, usage: null, ...more }); // prettier-ignore
const all = (...pods: PodView[]): PodNews => ({ event: 'pods', data: { cluster: 'home', heardAt: 1, behind: null, pods } });
const is = (p: PodView): PodNews => ({ event: 'pod', data: p });
const gone = (name: string): PodNews => ({ event: 'gone', data: { namespace: 'shop', name } });
const state = (behind: string | null): PodNews => ({ event: 'state', data: { heardAt: 1, behind } });
type Step = PodNews | ((o: Reconnecting) => void);
/** A server that says this, and then nothing more until it is left; `after` is called then. */
const client = (steps: Step[], after: () => void): ApiClient =>
  ({
    async *followPods(_: string, options: Reconnecting) {
      for (const s of steps) if (typeof s === 'function') s(options); else yield s; // prettier-ignore
      await new Promise<void>((_resolve, reject) => {
        options.signal?.addEventListener('abort', () => reject(new ConnectionError('aborted', 'left', { remedy: '' })));
        after();
      });
    },
  }) as unknown as ApiClient;
const interrupt = (): void => void process.emit('SIGINT');
async function watched(steps: Step[], { json = false, wanted = () => true }: { json?: boolean; wanted?: (p: PodView) => boolean } = {}) {
  const sheet = paper();
  await expect(watchPods(client(steps, interrupt), { cluster: 'home', wanted, json }, sheet.cli)).rejects.toMatchObject({ message: 'left; the pods go on', what: { exitCode: 130 } }); // prettier-ignore
  expect([process.listenerCount('SIGINT'), process.listenerCount('SIGTERM')]).toEqual([0, 0]);
  return sheet;
}
const usage = { cpuMillis: 1, memoryBytes: 1 };

test('off a terminal: the table once, then a line for each change; what a pod uses is none', async () => {
  const { out } = await watched([
    all(pod('a'), pod('b')), is(pod('a', { usage })), is(pod('a', { restarts: 1, state: 'Error' })), is(pod('c')), gone('b'), gone('b'), state('no way there'), state(null),
  ]); // prettier-ignore
  expect(out[0]?.split('\n').map((l) => l.split(/ +/)[1])).toEqual(['POD', 'a', 'b']);
  expect(out.slice(1)).toEqual([
    '00:00:00  shop/a: Error 1/1 on n1, 1 restart',
    '00:00:00  shop/c: Running 1/1 on n1',
    '00:00:00  shop/b: gone',
    '00:00:00  not of now any more: no way there',
    '00:00:00  as of now again',
  ]);
});
test('all of them again is a line for what differs', async () => {
  const { out } = await watched([all(pod('a'), pod('b')), all(pod('a', { usage }), pod('c'))]);
  expect(out.slice(1)).toEqual(['00:00:00  shop/b: gone', '00:00:00  shop/c: Running 1/1 on n1']);
});
test('as JSON: a word of the stream a line, of those alone that are wanted; one that is wanted no more is gone', async () => {
  const sick = pod('a', { trouble: 'main: ended with 1' });
  const steps = [all(pod('a'), pod('b')), is(pod('b')), is(sick), is(pod('a')), gone('b'), is(pod('a'))];
  const { out } = await watched(steps, { json: true, wanted: (p) => p.trouble !== null });
  expect(out.map((l) => JSON.parse(l) as PodNews)).toEqual([all(), is(sick), gone('a')]);
  const lines = (await watched(steps, { wanted: (p) => p.trouble !== null })).out;
  expect(lines).toEqual(['no pods', '00:00:00  shop/a: Running 1/1 on n1 (main: ended with 1)', '00:00:00  shop/a: Running 1/1 on n1']);
});
test('a connection that breaks is told of when it is not there again at once, and when it is', async () => {
  const steps: Step[] = [all(), (o) => o.onReconnect?.('lost', 1, 50), (o) => o.onConnected?.(), (o) => o.onReconnect?.('lost', 1, 50), (o) => o.onReconnect?.('refused', 2, 250), (o) => o.onConnected?.()]; // prettier-ignore
  expect((await watched(steps)).err).toEqual(['the server does not answer (refused); trying again until it does', 'the server answers again']);
  expect((await watched(steps, { json: true })).err).toEqual([JSON.stringify({ kind: 'reconnecting', attempt: 2, why: 'refused', inMs: 250 })]);
});
test('on a terminal: the table as it is, painted again, and what is wrong with the connection below it', async () => {
  const painted: string[] = [];
  const stdout = jest.spyOn(process.stdout, 'write').mockImplementation((text) => painted.push(String(text)) > 0);
  try {
    const { cli } = paper();
    const live = { ...cli, terminal: { ...cli.terminal, live: true, size: { columns: 100, rows: 20 } } };
    const steps: Step[] = [all(pod('a'), pod('b')), gone('a'), (o) => o.onReconnect?.('refused', 2, 250)];
    const left = watchPods(client(steps, () => setTimeout(interrupt, 700)), { cluster: 'home', wanted: () => true, json: false }, live); // prettier-ignore
    await expect(left).rejects.toMatchObject({ what: { exitCode: 130 } });
  } finally {
    stdout.mockRestore();
  }
  const text = painted.join('');
  expect(text).toContain('shop       b    n1');
  expect(text).toContain('the server does not answer (refused); trying again');
  expect(text).not.toMatch(/shop +a/);
});
test('a refusal ends it', async () => {
  const refusal = new ApiError({ type: 'x', title: 'x', status: 409, detail: 'no Kubernetes', remedy: 'install', code: 'no-kubeconfig' }, 'GET');
  const steps: Step[] = [() => { throw refusal; }]; // prettier-ignore
  await expect(watchPods(client(steps, () => undefined), { cluster: 'home', wanted: () => true, json: false }, paper().cli)).rejects.toBe(refusal); // prettier-ignore
});

test('a frame has room for so much: those that are wrong first, how many are left out, and how old it is', () => {
  const many = Array.from({ length: 9 }, (_, i) => pod(`p${i}`, { trouble: i === 7 ? 'main: ended\u001b[2J with 1' : null }));
  const view = { cluster: 'home', heardAt: 1_000, behind: 'silent', pods: many };
  const lines = podsFrame(view, { now: 4_000, columns: 40, rows: 8, broken: 'the server does not answer' }).split('\n');
  expect(lines.map((l) => l.split(/ +/)[1])).toEqual(['POD', 'p7', 'p0', 'p1', 'and', 'of', 'server']);
  expect(lines[4]).toMatch(/^… and 6 pods more/);
  expect(Math.max(...lines.map((l) => l.length))).toBeLessThanOrEqual(40);
  const whole = podsFrame(view, { now: 4_000, columns: 200, rows: 40, broken: '' });
  expect(whole.split('\n')).toHaveLength(12);
  expect(whole).toContain('shop/p7: main: ended [2J with 1');
});
