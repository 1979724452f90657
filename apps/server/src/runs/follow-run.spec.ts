import { EventEmitter } from 'node:events';
import { request } from 'node:https';
import { randomUUID } from 'node:crypto';
import { FakeAgent } from '../testing/fake-agent';
import { beginRun, eventually, specOf, stepOf } from '../testing/planned-run';
import { TestServer } from '../testing/test-server';
import { FollowRun } from './follow-run';
import { RunEnds } from './run-ends';

let server: TestServer;
beforeAll(async () => {
  server = await TestServer.start();
}, 60_000);
afterAll(() => server.remove(), 30_000);

/** Reads the stream until it ends, or until `stopAfter` events came. */
function listen(runId: string, lastEventId: string | undefined, stopAfter = Infinity): Promise<{ ids: number[]; ended: boolean }> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${server.token}`, ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }) };
    const out = request(
      { host: '127.0.0.1', port: server.serving.ports.api, path: `/v1/runs/${runId}/events`, headers, ca: server.ca, agent: false },
      (answer) => {
        let text = '';
        const seen = (): number[] => [...text.matchAll(/^id: (\d+)$/gm)].map((m) => Number(m[1]));
        const done = (): void => resolve({ ids: seen().slice(0, stopAfter), ended: text.includes('event: end') });
        answer.on('data', (part: Buffer) => {
          text += part.toString();
          if (seen().length >= stopAfter) {
            out.destroy();
            done();
          }
        });
        answer.on('end', done);
        answer.on('error', done);
      },
    );
    out.on('error', (error) => (out.destroyed ? undefined : reject(error)));
    out.end();
  });
}

test('two readers, one of them cut and resumed, see the same events in the same order; the stream ends with the run', async () => {
  const spec = specOf('sse');
  const { body } = await server.call('POST', '/v1/clusters', { body: { spec } });
  const cluster = { id: (body as { id: string }).id, spec };
  const node = await eventually(() => server.edges.store.nodes.named(cluster.id, 'n1'));
  const agent = await FakeAgent.enroll(server, node);
  const runId = await beginRun(server, cluster, [
    stepOf('kernel.modules', { modules: ['overlay'] }),
    stepOf('kernel.sysctl', { settings: {} }, { needs: ['n1/kernel.modules'] }),
  ]);
  const whole = listen(runId, undefined);
  // what follows the end takes its time here: nobody hears of the end before
  const { runs } = server.edges.store;
  const recordCounts = runs.recordCounts.bind(runs);
  let settled = false;
  runs.recordCounts = async (...args) => {
    const ended = (await runs.find(runId))?.endedAt != null;
    if (ended) await new Promise((resolve) => setTimeout(resolve, 300));
    await recordCounts(...args);
    settled ||= ended;
  };
  const settledFirst = whole.then(() => settled);
  const first = await listen(runId, undefined, 2);
  expect(first.ids).toEqual([1, 2]);
  await agent.connect(server);
  const rest = await listen(runId, '2');
  expect(await whole).toEqual({ ids: [...first.ids, ...rest.ids], ended: true });
  expect(rest.ended).toBe(true);
  expect(rest.ids).toEqual(rest.ids.map((_, i) => i + 3));
  expect(await listen(runId, undefined)).toEqual(await whole);
  expect(await settledFirst).toBe(true);
  runs.recordCounts = recordCounts;
  agent.disconnect();
});

test('a run that failed and was resumed is followed through its first end to its last', async () => {
  const spec = specOf('again');
  const { body } = await server.call('POST', '/v1/clusters', { body: { spec } });
  const cluster = { id: (body as { id: string }).id, spec };
  const agent = await FakeAgent.enroll(server, await eventually(() => server.edges.store.nodes.named(cluster.id, 'n1')));
  agent.conduct = () => 'failed';
  await agent.connect(server);
  const runId = await beginRun(server, cluster, [stepOf('kernel.modules', { modules: ['overlay'] })]);
  const failed = await listen(runId, undefined);
  expect(failed.ended).toBe(true);
  agent.conduct = () => 'hold';
  expect(await server.call('POST', `/v1/runs/${runId}/resume`)).toMatchObject({ status: 202 });
  await eventually(() => agent.orders.length === 2);
  const whole = listen(runId, undefined);
  await agent.finish(agent.orders[1]?.body.orderId ?? '', 'changed');
  expect((await whole).ids.length).toBeGreaterThan(failed.ids.length + 3);
  const { body: details } = await server.call('GET', `/v1/runs/${runId}`);
  expect(details).toMatchObject({ state: 'ended', result: 'done', waits: [] });
  expect(agent.orders.map((o) => o.body.attempt)).toEqual([1, 2]);
  agent.disconnect();
});

test('a run that is not there is a 404', async () => {
  expect(await server.call('GET', `/v1/runs/${randomUUID()}/events`)).toMatchObject({ status: 404, body: { code: 'not-found' } });
});

test('a run that ends after its events were read, and before it is asked whether it ended, is told to its end', async () => {
  const ledger: { seq: number; kind: string }[] = [];
  let asked = 0;
  const find = async (): Promise<unknown> => {
    asked++;
    if (asked === 2) ledger.push({ seq: 1, kind: 'RunEnded' }); // it ends now
    return Promise.resolve({ endedAt: ledger.length > 0 ? new Date() : null });
  };
  const read = async (_run: string, after: number): Promise<unknown> => Promise.resolve(ledger.filter((e) => e.seq > after));
  let poke: (id: string) => void = () => undefined;
  const onAppend = (listener: typeof poke): (() => void) => {
    poke = listener;
    return () => undefined;
  };
  const edges = { store: { runs: { find } }, ledger: { read, onAppend }, stopping: new AbortController().signal };
  let text = '';
  const response = Object.assign(new EventEmitter(), {
    headersSent: false, destroyed: false, writableNeedDrain: false, flushHeaders: () => undefined, end: () => undefined, write: (t: string) => (text += t) !== '',
    writeHead() { this.headersSent = true; },
  }); // prettier-ignore
  const followed = new FollowRun(edges as never, new RunEnds()).run('r', 0, response as never);
  await eventually(() => Promise.resolve(asked >= 2 || null));
  poke('r');
  await followed;
  expect(text).toMatch(/^id: 1\ndata: .*RunEnded.*\n\nevent: end\n/);
});
