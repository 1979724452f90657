import { X509Certificate } from 'node:crypto';
import { createServer, type TLSSocket } from 'node:tls';
import { enroll, PeerUnreachable, PinMismatch, type EnrollRequest } from './index';
import { checkChain } from './pinned';
import { TestAuthority } from './testing/authority';
import { ListeningServer } from './testing/server';

const request: EnrollRequest = {
  token: 'good',
  csrPem: 'csr',
  machineId: 'm1',
  hostKeys: ['SHA256:x'],
  agentVersion: '0.1.0',
  hostname: 'n1',
  agentTimeMs: 1_700_000_000_000,
};
let ca: TestAuthority;
const open: { close(): Promise<unknown> }[] = [];
const listen = async (enrollFromDays?: number, authority = ca): Promise<ListeningServer> => {
  const at = await ListeningServer.listen(authority, { enrollFromDays });
  open.push({ close: () => at.server.close(200) });
  return at;
};
/** A TLS server that keeps every byte that a client sends after the handshake. */
const trap = async (tls: { certPem: string; keyPem: string }): Promise<{ address: string; bytes: () => number }> => {
  let bytes = 0;
  const sockets = new Set<TLSSocket>();
  const server = createServer({ cert: tls.certPem, key: tls.keyPem, ALPNProtocols: ['h2'] }, (socket) => {
    sockets.add(socket);
    socket.on('data', (data: Buffer) => (bytes += data.length)).on('error', () => undefined);
  });
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  open.push({ close: () => new Promise((done) => (sockets.forEach((socket) => socket.destroy()), server.close(done))) });
  return { address: `127.0.0.1:${(server.address() as { port: number }).port}`, bytes: () => bytes };
};
beforeAll(async () => {
  ca = await TestAuthority.create();
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
});

test('a stranger with the right pin and token becomes a node', async () => {
  const at = await listen();
  const identity = await enroll({ addresses: ['127.0.0.1:1', at.enrollmentAddress], caPin: ca.pin }, request);
  expect(identity).toMatchObject({
    nodeId: 'n1',
    clusterId: 'c1',
    caPem: ca.caPem,
    sessionAddresses: ['10.0.0.1:7444'],
    skewMs: -7_200_000,
    boxKey: Buffer.alloc(32, 2),
  });
});

test("the environment's proxy is not asked", async () => {
  const at = await listen();
  const names = ['grpc_proxy', 'https_proxy', 'http_proxy'];
  const before = names.map((name) => [name, process.env[name]] as const);
  for (const name of names) process.env[name] = 'http://127.0.0.1:1';
  try {
    expect((await enroll({ addresses: [at.enrollmentAddress], caPin: ca.pin }, request)).nodeId).toBe('n1');
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
});

test.each([5, -60])('a clock that is days off does not keep it from learning that (certificates from day %i)', async (fromDays) => {
  const at = await listen(fromDays);
  expect((await enroll({ addresses: [at.enrollmentAddress], caPin: ca.pin }, request)).skewMs).toBe(-7_200_000);
});

test('a used token is refused in the words of the server', async () => {
  const at = await listen();
  await expect(enroll({ addresses: [at.enrollmentAddress], caPin: ca.pin }, { ...request, token: 'used' })).rejects.toMatchObject({
    name: 'CallRefused',
    reason: 'unauthenticated',
    message: 'the token was used already; ask for a fresh join command',
  });
});

test('another CA is found out before the token is sent', async () => {
  const other = await TestAuthority.create();
  const at = await listen(undefined, other);
  await expect(enroll({ addresses: [at.enrollmentAddress], caPin: ca.pin }, request)).rejects.toThrow(
    new RegExp(`pin of its CA is ${other.pin}, want ${ca.pin}`),
  );
  expect(at.enrolled).toEqual([]);
});

describe('a server that shows the public certificate of the pinned CA and lacks its key gets not one byte', () => {
  const deceit: [string, () => Promise<{ certPem: string; keyPem: string }>, RegExp][] = [
    [
      'signed by another CA of the same name',
      async () => {
        const { certPem, keyPem } = await (await TestAuthority.create()).issue({ uri: 'spiffe://strata.local/server', dns: 'strata-server' });
        return { certPem: certPem + ca.caPem, keyPem };
      },
      /none sent/,
    ],
    [
      'with a certificate of a node',
      async () => {
        const { certPem, keyPem } = await ca.node('n2');
        return { certPem: certPem + ca.caPem, keyPem };
      },
      /not for strata-server/,
    ],
    [
      'with a client certificate under the name of the server',
      async () => {
        const { certPem, keyPem } = await ca.issue({ uri: 'spiffe://strata.local/cluster/c1/node/n2', dns: 'strata-server', server: false });
        return { certPem: certPem + ca.caPem, keyPem };
      },
      /not one of a server/,
    ],
    ['without the CA in the chain', () => ca.issue({ uri: 'spiffe://strata.local/server', dns: 'strata-server' }), /none sent/],
  ];
  test.each(deceit)('%s', async (_how, tls, words) => {
    const { address, bytes } = await trap(await tls());
    const failure: unknown = await enroll({ addresses: [address], caPin: ca.pin }, request).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(PinMismatch);
    expect((failure as Error).message).toMatch(words);
    expect(bytes()).toBe(0);
  });
});

test('a chain is judged by signature, not by name', async () => {
  const { certPem } = await (await TestAuthority.create()).issue({ uri: 'spiffe://strata.local/server', dns: 'strata-server' });
  expect(() => checkChain([new X509Certificate(certPem), new X509Certificate(ca.caPem)], ca.pin)).toThrow(/that CA did not sign/);
  expect(() => checkChain([], ca.pin)).toThrow(PinMismatch);
});

test('an answer under another CA is not kept', async () => {
  const at = await listen();
  const other = await TestAuthority.create();
  const forged = await ListeningServer.listen(ca, {
    handlers: { onEnroll: async () => ({ ...(await enroll({ addresses: [at.enrollmentAddress], caPin: ca.pin }, request)), caPem: other.caPem }) },
  });
  open.push({ close: () => forged.server.close(200) });
  await expect(enroll({ addresses: [forged.enrollmentAddress], caPin: ca.pin }, request)).rejects.toThrow('the pinned CA did not sign');
});

test('nobody there, or something that does not speak TLS, is named', async () => {
  await expect(enroll({ addresses: ['127.0.0.1:1'], caPin: ca.pin }, request)).rejects.toThrow(/127\.0\.0\.1:1 could not be reached.*ECONNREFUSED/);
  await expect(enroll({ addresses: [], caPin: ca.pin }, request)).rejects.toThrow(PeerUnreachable);
});

test('a handler that fails inside tells the agent nothing, one that hangs ends by its deadline', async () => {
  const failing = await ListeningServer.listen(ca, { handlers: { onEnroll: () => Promise.reject(new Error('password=hunter2')) } });
  open.push({ close: () => failing.server.close(200) });
  const failure: unknown = await enroll({ addresses: [failing.enrollmentAddress], caPin: ca.pin }, request).catch((error: unknown) => error);
  expect(String(failure)).toMatch(/its log says why/);
  expect(String(failure)).not.toContain('hunter2');
  expect(failing.errors).toHaveLength(1);
  const hanging = await ListeningServer.listen(ca, { handlers: { onEnroll: () => new Promise(() => undefined) } });
  open.push({ close: () => hanging.server.close(200) });
  await expect(enroll({ addresses: [hanging.enrollmentAddress], caPin: ca.pin, deadlineMs: 200 }, request)).rejects.toThrow(/Deadline exceeded/);
});
