import { credentials } from '@grpc/grpc-js';
import { AgentSession, CallRefused, PeerUnreachable, renew, type FromAgent, type NodeTls, type ToAgent } from './index';
import { clientOptions, Session } from './protocol';
import { TestAuthority } from './testing/authority';
import { Ear, ListeningServer, until } from './testing/server';

const hello: FromAgent = {
  kind: 'hello',
  agentVersion: '0.1.0',
  catalogue: [{ name: 'dns.configure', version: 1 }],
  bootId: 'b1',
  factsDigest: 'd1',
  highestEpoch: 4_294_967_296,
  held: [{ orderId: 'o1', runId: 'r1', step: 'n1/dns.configure', epoch: 3, attempt: 2, state: 'settled' }],
  agentTimeMs: 1_700_000_000_123,
  looks: ['doctor'],
};
let ca: TestAuthority;
let node: NodeTls;
let at: ListeningServer;
const sessions: AgentSession[] = [];
const openSession = async (ear: Ear, tls: NodeTls = node, more: object = {}): Promise<AgentSession> => {
  const session = await AgentSession.open({ addresses: [at.sessionAddress], tls, onMessage: ear.onMessage, onEnd: ear.onEnd, ...more });
  sessions.push(session);
  return session;
};
beforeAll(async () => {
  ca = await TestAuthority.create();
  node = await ca.node('n1');
});
beforeEach(async () => {
  at = await ListeningServer.listen(ca);
});
afterEach(async () => {
  for (const session of sessions.splice(0)) session.close();
  await at.server.close(200);
});

test('hello, welcome, an order out and its settle back, word for word', async () => {
  const ear = new Ear();
  const session = await openSession(ear);
  await session.send(hello);
  await until(() => ear.heard.length > 0);
  expect(at.heard[0]).toEqual(hello);
  expect(ear.heard[0]).toEqual({
    kind: 'welcome',
    sessionId: 's1',
    serverTimeMs: 1_700_000_000_000,
    heartbeatIntervalMs: 5_000,
    reconnectCapMs: 2_000,
    credits: 64,
    wantsFacts: true,
    sessionAddresses: ['10.0.0.1:7444'],
    artifactAddresses: ['10.0.0.1:7445'],
  });
  expect(at.links[0]?.peer).toMatchObject({ clusterId: 'c1', nodeId: 'n1', serial: expect.stringMatching(/^[0-9A-F]+$/) as string });

  const toAgent: ToAgent[] = [
    { kind: 'order', body: Buffer.from('{"orderId":"o2"}'), signature: Buffer.alloc(64, 9), keyId: 'k1', secrets: { token: Buffer.from('s3cret') } },
    { kind: 'cancel', orderId: 'o2', attempt: 1, reason: 'operator' },
    { kind: 'credit', n: 16 },
    { kind: 'ack', orderId: 'o1', attempt: 2, journalSeq: 12 },
    { kind: 'drain', addresses: ['10.0.0.2:7444'], reason: 'moving' },
    { kind: 'secrets', orderId: 'o2', attempt: 1, secrets: {}, missing: 'the password was erased' },
    { kind: 'factsWanted' },
    { kind: 'ask', id: 'a1', what: 'doctor', input: { nowMs: 5 } },
  ];
  for (const message of toAgent) await at.links[0]?.send(message);
  await until(() => ear.heard.length === 9);
  expect(ear.heard.slice(1)).toEqual(toAgent);

  const ref = { orderId: 'o2', attempt: 1 };
  const fromAgent: FromAgent[] = [
    { kind: 'facts', digest: 'd1', facts: { os: 'debian' } },
    { kind: 'factsChanged', what: 'addresses', before: ['10.0.0.1'], after: ['10.0.0.9'], digest: 'd2' },
    { kind: 'accepted', ...ref, epoch: 3 },
    { kind: 'refused', ...ref, epoch: 3, code: 'wrong-audience', message: 'for n2' },
    { kind: 'progress', ...ref, fraction: null, note: 'unpacking' },
    { kind: 'log', ...ref, seq: 1, stream: 'stdout', text: 'line', dropped: 2, atMs: 1_700_000_000_001 },
    { kind: 'settled', ...ref, runId: 'r1', step: 'n1/x', epoch: 3, outcome: 'changed', result: { findings: [] }, journalSeq: 13 },
    { kind: 'heartbeat', load: 0.5, agentTimeMs: 1_700_000_000_002, rssMb: 55.5 },
    { kind: 'heartbeat', load: 0.5, agentTimeMs: 1_700_000_000_003, rssMb: 55.5, mount: { state: 'hangs' } },
    { kind: 'heartbeat', load: 0.5, agentTimeMs: 1_700_000_000_004, rssMb: 55.5, trouble: 'the disk is full' },
    { kind: 'secretsWanted', ...ref },
    { kind: 'answer', id: 'a1', part: Buffer.from('[]'), last: true, failure: '' },
  ];
  for (const message of fromAgent) await session.send(message);
  await until(() => at.heard.length === 13);
  expect(at.heard.slice(1)).toEqual(fromAgent);
});

test('without a client certificate, or with one of a foreign CA, there is no handshake', async () => {
  const client = new Session(at.sessionAddress, credentials.createSsl(Buffer.from(ca.caPem)), clientOptions);
  const error = await new Promise<Error>((done) =>
    client
      .Connect()
      .on('error', done)
      .on('data', () => undefined),
  );
  expect(error.message).toMatch(/UNAVAILABLE/);
  client.close();
  const foreign = await (await TestAuthority.create()).node('n1');
  await expect(openSession(new Ear(), { ...foreign, caPem: ca.caPem })).rejects.toThrow(PeerUnreachable);
  expect(at.links).toHaveLength(0);
});

test('an agent does not talk to a server of another CA', async () => {
  const other = await TestAuthority.create();
  await expect(openSession(new Ear(), { ...node, caPem: other.caPem })).rejects.toThrow(/could not be reached.*(self-signed|signature)/);
});

test('a certificate that names no node opens no session, and says why', async () => {
  const odd = async (uri: string): Promise<NodeTls> => ({ ...(await ca.issue({ uri })), caPem: ca.caPem });
  const failure = (await openSession(new Ear(), await odd('spiffe://strata.local/server')).catch((error: unknown) => error)) as CallRefused;
  expect(failure).toBeInstanceOf(CallRefused);
  expect(failure).toMatchObject({ reason: 'forbidden', message: expect.stringContaining('spiffe://strata.local/server') as string });
  await expect(openSession(new Ear(), await odd('spiffe://elsewhere/cluster/c1/node/n1'))).rejects.toThrow(CallRefused);
});

test('admit judges every stream: a removed node is refused in words, and its open stream is cut', async () => {
  const ear = new Ear();
  await openSession(ear);
  at.revoked.add('n1');
  await expect(openSession(new Ear())).rejects.toMatchObject({ name: 'CallRefused', reason: 'forbidden', message: 'node n1 was removed' });
  await expect(renew({ addresses: [at.sessionAddress], tls: node }, 'csr')).rejects.toThrow('node n1 was removed');
  at.server.cut((peer) => peer.nodeId === 'n1', new CallRefused('forbidden', 'revoked'));
  expect((await until(() => ear.end)).error).toMatchObject({ reason: 'forbidden', message: 'revoked' });
  expect(at.server.open).toHaveLength(0);
});

test('renewal runs over the old certificate', async () => {
  const identity = await renew({ addresses: ['127.0.0.1:1', at.sessionAddress], tls: node }, 'csr');
  expect(identity).toMatchObject({
    nodeId: 'n1',
    skewMs: -7_200_000,
    boxKey: Buffer.alloc(32, 2),
    orderKeys: [{ keyId: 'k1', publicKey: Buffer.alloc(32, 1) }],
  });
});

test('new certificates of the server keep live streams and reach new ones; a second CA may come beside the first', async () => {
  const ear = new Ear();
  const session = await openSession(ear);
  const next = await TestAuthority.create();
  at.server.rotate({ session: { ...(await next.listener()), caPem: `${ca.caPem}${next.caPem}` } });
  await session.send(hello);
  await until(() => ear.heard.length === 1);
  await expect(openSession(new Ear())).rejects.toThrow(PeerUnreachable); // still believes only the first CA
  await openSession(new Ear(), { ...node, caPem: next.caPem });
  await openSession(new Ear(), await next.node('n2'));
  expect(at.links.map(({ peer }) => peer.nodeId)).toEqual(['n1', 'n1', 'n2']);
  expect(ear.end).toBeUndefined();
});

test('fields and kinds of a newer agent are ignored', async () => {
  const client = new Session(
    at.sessionAddress,
    credentials.createSsl(Buffer.from(ca.caPem), Buffer.from(node.keyPem), Buffer.from(node.certPem)),
    clientOptions,
  );
  const { path } = Session.service.Connect;
  const call = client.makeBidiStreamRequest(
    path,
    (m: Buffer) => m,
    (m) => m,
  );
  call.on('error', () => undefined).on('data', () => undefined);
  const newKind = Buffer.from([0xa2, 0x06, 0x02, 0x08, 0x01]); // field 100, a message that nobody here knows
  const heartbeat = Buffer.from([0x4a, 0x0c, 0x09, 0, 0, 0, 0, 0, 0, 0xe0, 0x3f, 0x98, 0x06, 0x07]); // load 0.5 and an unknown field 99
  call.write(newKind);
  call.write(heartbeat);
  await until(() => at.heard.length === 1);
  expect(at.heard).toEqual([{ kind: 'heartbeat', load: 0.5, agentTimeMs: 0, rssMb: 0 }]);
  call.write(Buffer.from([0x12, 0x03, 0x12, 0x01, 0x7b])); // facts whose JSON is only "{"
  expect(await until(() => at.ends[0])).toMatchObject({ why: 'bad-message' });
  call.cancel();
  client.close();
});

test('a failure inside the server closes the session without telling its words', async () => {
  const ear = new Ear();
  const session = await openSession(ear);
  at.gate = Promise.reject(new Error('password=hunter2'));
  await session.send(hello);
  const { error } = await until(() => ear.end);
  expect(String(error)).not.toContain('hunter2');
  expect(at.errors).toHaveLength(1);
});

test('either side may leave, and the other hears it', async () => {
  const ear = new Ear();
  (await openSession(ear)).close();
  expect(await until(() => at.ends[0])).toMatchObject({ why: 'left' });
  expect(ear.end).toEqual({ error: undefined });
  const other = new Ear();
  await openSession(other);
  at.links[1]?.close();
  expect((await until(() => other.end)).error).toBeInstanceOf(PeerUnreachable);
});

test('an abort ends an open session and one that is opening; a silent address ends by its deadline', async () => {
  const abort = new AbortController();
  const ear = new Ear();
  await openSession(ear, node, { signal: abort.signal });
  abort.abort();
  expect(ear.end).toEqual({ error: undefined });
  await expect(openSession(new Ear(), node, { signal: abort.signal })).rejects.toThrow('given up');
  const { createServer } = await import('node:net');
  const silent = createServer().listen(0, '127.0.0.1');
  await new Promise((listening) => silent.once('listening', listening));
  const { port } = silent.address() as { port: number };
  await expect(openSession(new Ear(), node, { addresses: [`127.0.0.1:${port}`], connectMs: 100 })).rejects.toThrow('did not admit us within 0.1 s');
  silent.close();
});
