import { fingerprintOf } from './host-key';
import { SshMachine, type SshOptions } from './machine';
import type { SshError } from './ssh-error';
import { keyPair, sshServer, type TestServer } from './testing';

const servers: TestServer[] = [];
const machines: SshMachine[] = [];
async function serve(options?: Parameters<typeof sshServer>[0]): Promise<TestServer> {
  const server = await sshServer(options);
  servers.push(server);
  return server;
}
async function open(server: TestServer, more: Partial<SshOptions> = {}): Promise<SshMachine> {
  const line = server.hostKeyLine.split(' ').slice(0, 2).join(' ');
  const machine = await SshMachine.open({
    host: '127.0.0.1', port: server.port, user: 'ops', password: 'right', signal: new AbortController().signal, timeoutMs: 3000,
    hostKey: { knownHosts: [`[127.0.0.1]:${server.port} ${line}`], acceptNew: false }, ...more,
  }); // prettier-ignore
  machines.push(machine);
  return machine;
}
const refused = (p: Promise<unknown>): Promise<SshError> => p.then(() => Promise.reject(new Error('was not refused')), (e: SshError) => e); // prettier-ignore
afterEach(async () => {
  machines.splice(0).forEach((m) => m.close());
  await Promise.all(servers.splice(0).map((s) => s.close()));
});

test('runs programs with input, exit status and both outputs, through a noisy login', async () => {
  const machine = await open(await serve({ greeting: 'You have mail.\n' }));
  expect(await machine.exec(['sh', '-c', 'cat; echo oops >&2; exit 3'], { input: 'typed' })).toEqual({ code: 3, stdout: 'typed', stderr: 'oops\n' });
  expect(machine.localAddress).toBe('127.0.0.1');
});
test('a wrong host key is refused with both fingerprints before the password is sent', async () => {
  const server = await serve();
  const error = await refused(open(server, { hostKey: { fingerprint: `SHA256:${'A'.repeat(43)}`, knownHosts: [], acceptNew: true } }));
  expect(error.code).toBe('host-key-mismatch');
  expect(error.message).toMatch(/shows the host key SHA256:\S+, but SHA256:A{43} was expected/);
  expect((await refused(open(server, { hostKey: { knownHosts: [], acceptNew: false } }))).code).toBe('host-key-unknown');
  const taken = await open(server, { hostKey: { knownHosts: [], acceptNew: true } });
  expect(taken.hostKey.accepted).toBe('new');
});
test('a wrong password, an encrypted key and an absent machine are told apart', async () => {
  const server = await serve();
  expect((await refused(open(server, { password: 'wrong' }))).code).toBe('auth-failed');
  const key = keyPair({ passphrase: 'secret', cipher: 'aes256-ctr', rounds: 16 }).private;
  const encrypted = await refused(open(server, { privateKey: key }));
  expect([encrypted.code, encrypted.remedy]).toEqual(['key-encrypted', expect.stringContaining('passphraseFrom')]);
  await server.close();
  expect((await refused(open(server))).code).toBe('unreachable');
});
test('a machine that has only an RSA host key is met by its fingerprint too, and refused when that is another', async () => {
  const server = await serve({ hostKey: 'rsa' });
  const fingerprint = fingerprintOf(Buffer.from(server.hostKeyLine.split(' ')[1] ?? '', 'base64'));
  await expect(open(server, { hostKey: { fingerprint, knownHosts: [], acceptNew: false } })).resolves.toMatchObject({ hostKey: { fingerprint } });
  const other = `SHA256:${'A'.repeat(43)}`;
  expect((await refused(open(server, { hostKey: { fingerprint: other, knownHosts: [], acceptNew: false } }))).code).toBe('host-key-mismatch');
});
test('an account without a shell says so', async () => {
  const error = await refused(open(await serve({ shell: ['/bin/sh', '-c', 'echo This account is currently not available.; exit 1', 'nologin'] })));
  expect([error.code, error.message]).toEqual(['no-shell', expect.stringContaining('currently not available')]);
});
test('a forced command that sends people to another account is named at once, without waiting for its sleep', async () => {
  const forced = 'echo "Please login as the user \\"ubuntu\\" rather than the user \\"root\\"."; exec sleep 10';
  const error = await refused(open(await serve({ shell: ['/bin/sh', '-c', forced, 'forced'] })));
  expect([error.code, error.remedy]).toEqual(['other-user', expect.stringContaining('ssh.user: ubuntu')]); // in less than the 3 s of a hand-shake
});
test('an ssh agent that is gone is named', async () => {
  const error = await refused(open(await serve(), { password: undefined, agentSocket: '/nonexistent/agent' }));
  expect([error.code, error.message]).toEqual(['agent-unavailable', expect.stringContaining('/nonexistent/agent')]);
});
test('a program that says nothing runs into its deadline', async () => {
  const error = await refused(open(await serve({ silent: true }), { timeoutMs: 500 }));
  expect(error.code).toBe('timeout');
});
