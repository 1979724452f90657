import { connect, constants } from 'node:http2';
import { AgentSession, type NodeTls } from './index';
import { Session } from './protocol';
import { TestAuthority } from './testing/authority';
import { Ear, ListeningServer, until } from './testing/server';

const queueBytes = 1 << 20;
let ca: TestAuthority;
let node: NodeTls;
let at: ListeningServer;
beforeAll(async () => {
  ca = await TestAuthority.create();
  node = await ca.node('n1');
});
afterEach(() => at.server.close(200));

test('an agent that reads nothing costs a bounded queue and is cut at the deadline', async () => {
  at = await ListeningServer.listen(ca, { limits: { queueBytes, stallMs: 300 } });
  // an unread grpc-js stream still takes 16 messages, so a peer that really takes nothing speaks plain HTTP/2 here
  const client = connect(`https://${at.sessionAddress}`, { ca: node.caPem, cert: node.certPem, key: node.keyPem, servername: 'strata-server' });
  const call = client.request({ ':method': 'POST', ':path': Session.service.Connect.path, 'content-type': 'application/grpc', te: 'trailers' }).pause();
  const reset = new Promise<number>((done) => call.on('error', () => undefined).on('close', () => done(call.rstCode)));
  const link = await until(() => at.links[0]);
  let most = 0;
  const refusals: unknown[] = [];
  for (let i = 0; i < 200; i++) {
    link
      .send({ kind: 'order', body: Buffer.alloc(64 << 10), signature: Buffer.alloc(64), keyId: 'k', secrets: {} })
      .catch((error: unknown) => refusals.push(error));
    most = Math.max(most, link.bufferedBytes);
    if (i % 20 === 0) await new Promise((turn) => setImmediate(turn));
  }
  expect(most).toBeLessThanOrEqual(queueBytes);
  expect(await until(() => at.ends[0])).toMatchObject({ why: 'slow' });
  expect(refusals.length).toBeGreaterThan(100);
  expect(refusals[0]).toMatchObject({ name: 'CallRefused', reason: 'too-much' });
  expect(link.bufferedBytes).toBe(0);
  expect(await reset).toBe(constants.NGHTTP2_CANCEL);
  client.close();
});

test('a slow server slows the agent: outcomes wait their turn, logs are dropped, nothing that counts is lost', async () => {
  at = await ListeningServer.listen(ca);
  let open = (): void => undefined;
  at.gate = new Promise((done) => (open = done));
  const ear = new Ear();
  const session = await AgentSession.open({ addresses: [at.sessionAddress], tls: node, onMessage: ear.onMessage, onEnd: ear.onEnd, limits: { queueBytes } });
  const log = (seq: number) => ({ kind: 'log', orderId: 'o', attempt: 1, seq, stream: 'stdout', text: 'x'.repeat(8 << 10), dropped: 0, atMs: 0 }) as const;
  let kept = 0;
  for (let seq = 1; seq <= 500; seq++) {
    if (session.offer(log(seq))) kept++;
    if (seq % 50 === 0) await new Promise((turn) => setImmediate(turn));
  }
  expect(kept).toBeLessThan(500);
  expect(session.bufferedBytes).toBeLessThan(queueBytes / 2);
  const sent = session.send({ kind: 'settled', orderId: 'o', attempt: 1, runId: 'r', step: 'n1/x', epoch: 1, outcome: 'changed', result: {}, journalSeq: 1 });
  expect(at.heard).toHaveLength(0);
  open();
  await sent;
  await until(() => at.heard.length === kept + 1);
  expect(at.heard.at(-1)?.kind).toBe('settled');
  session.close();
});
