import { until } from '../lab/support/program';
import type { TestServer } from '../lab/support/server';
import { endServer, soonMs, startServer, TestCluster } from './support/world';

let server: TestServer;
let cluster: TestCluster;
beforeAll(async () => {
  server = await startServer();
  cluster = await TestCluster.make(server, 3);
});
afterAll(async () => {
  await endServer(server);
});

test('a client that is cut and resumes with Last-Event-ID hears what two others hear: the same events, in order, none missing', async () => {
  const { api } = cluster;
  const gate = cluster.gate('n1', /packages\.install/);
  const runId = await cluster.start();
  const watchers = [api.followEvents(runId), api.followEvents(runId)];
  const heard: string[] = [];
  let after: string | undefined;
  let over = false;
  for (const enough of [1, 2, 7, 20]) {
    const part = await api.followEvents(runId, { after, enough });
    heard.push(...part.messages.map((m) => m.text));
    after = part.messages.at(-1)?.id ?? after;
  }
  await gate.reached;
  gate.open();
  for (let cuts = 0; !over && cuts < 400; cuts += 1) {
    const part = await api.followEvents(runId, { after, enough: 25 });
    heard.push(...part.messages.map((m) => m.text));
    ({ over } = part);
    after = part.messages.at(-1)?.id ?? after;
  }
  const whole = await Promise.all(watchers);
  expect(over && whole.every((w) => w.over)).toBe(true);
  for (const { messages } of whole) {
    expect(messages.map((m) => m.text)).toEqual(heard);
    expect(messages.map((m) => m.event.seq)).toEqual(messages.map((_, i) => i + 1));
    expect(messages.map((m) => m.id)).toEqual(messages.map((m) => String(m.event.seq)));
  }
  expect((await api.followEvents(runId)).messages.map((m) => m.text)).toEqual(heard); // and whoever comes late
});

test('a client that goes on after the server was killed misses nothing', async () => {
  const { api } = cluster;
  const gate = cluster.gate('n2', /precheck\.os/);
  const runId = await cluster.start();
  await gate.reached;
  const first = await api.followEvents(runId, { enough: 5 });
  const listening = api.followEvents(runId, { after: first.messages.at(-1)?.id }).catch((error: unknown) => error);
  await server.backAs('server', server.kill('server'));
  expect(await listening).toBeDefined(); // the stream broke, or ended without `end`
  gate.open();
  await cluster.ended(runId);
  const rest = await until('the rest of the events', soonMs, () => api.followEvents(runId, { after: first.messages.at(-1)?.id }).catch(() => null));
  const whole = await api.followEvents(runId);
  expect([...first.messages, ...rest.messages].map((m) => m.text)).toEqual(whole.messages.map((m) => m.text));
  expect(whole.messages.map((m) => m.event.seq)).toEqual(whole.messages.map((_, i) => i + 1));
});
