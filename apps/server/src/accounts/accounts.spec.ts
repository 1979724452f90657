import { hashToken } from '@strata/pki';
import { TestServer } from '../testing/test-server';
import { setUpPage, setUpPageHeaders } from './setup-page';

let server: TestServer;
beforeAll(async () => {
  server = await TestServer.start();
}, 60_000);
afterAll(() => server.remove(), 30_000);

interface Invited {
  path: string;
}
const invite = async (name: string, role = 'operator'): Promise<string> => {
  const answer = await server.call('POST', '/v1/accounts', { body: { name, role } });
  expect(answer).toMatchObject({ status: 201, body: { name, role } });
  return /^\/setup#(\S+)\.[0-9a-f]{64}$/.exec((answer.body as Invited).path)?.[1] ?? '';
};
const open = (code: string): ReturnType<TestServer['call']> => server.call('POST', '/v1/setup', { token: null, body: { code } });
const spent = { status: 410, body: { code: 'link-spent' } };

test('a link opens once, for one who then has a token of the role; removed, it opens nothing', async () => {
  const code = await invite('ada');
  expect(await server.call('GET', '/v1/accounts')).toMatchObject({ status: 200, body: [{ name: 'ada', state: 'invited', invitedBy: 'admin' }] });
  const answers = await Promise.all([open(code), open(code), open(code)]);
  expect(answers.map((a) => a.status).sort()).toEqual([200, 410, 410]);
  const { token } = answers.find((a) => a.status === 200)?.body as { token: string };
  expect(await server.call('GET', '/v1/clusters', { token })).toMatchObject({ status: 200 });
  expect(await server.call('GET', '/v1/accounts', { token })).toMatchObject({ status: 403 });
  expect(await server.call('POST', '/v1/accounts', { body: { name: 'ada' } })).toMatchObject({ status: 409, body: { code: 'account-set-up' } });
  expect(await server.call('DELETE', '/v1/accounts/ada')).toMatchObject({ status: 204 });
  expect(await server.call('GET', '/v1/clusters', { token })).toMatchObject({ status: 401 });
  expect(await server.call('DELETE', '/v1/accounts/ada')).toMatchObject({ status: 404 });
});

test('a newer link, its age, a removal: each ends an older one', async () => {
  const old = await invite('bob');
  const code = await invite('bob', 'viewer');
  expect(await open(old)).toMatchObject(spent);
  const { edges } = server;
  const now = edges.now.bind(edges);
  edges.now = () => now() + 25 * 3_600_000;
  expect(await open(code)).toMatchObject(spent);
  expect(await server.call('GET', '/v1/accounts')).toMatchObject({ body: [{ name: 'bob', state: 'expired' }] });
  edges.now = now;
  await server.call('DELETE', '/v1/accounts/bob');
  expect(await open(code)).toMatchObject(spent);
  expect(await open('strata_setup_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA')).toMatchObject(spent);
  expect(await server.call('POST', '/v1/accounts', { body: { name: 'admin' } })).toMatchObject({ status: 400 });
});

test('no link and no token is kept in the clear', async () => {
  const code = await invite('cyd');
  const { token } = (await open(code)).body as { token: string };
  const kept = JSON.stringify([await server.edges.store.accounts.list(), await server.edges.store.audit.list()]);
  expect(kept).toContain('account.set-up');
  expect([kept.includes(code), kept.includes(token)]).toEqual([false, false]);
  expect(await server.edges.store.apiTokens.find(hashToken(token))).toMatchObject({ name: 'cyd' });
});

test('the page of a link runs its own script alone, and is kept by nobody', async () => {
  expect(await server.call('GET', '/setup', { token: null })).toMatchObject({ status: 200 });
  const policy = setUpPageHeaders['content-security-policy'] ?? '';
  expect(policy).toMatch(/^default-src 'none'; style-src 'sha256-[^']+'; script-src 'sha256-[^']+'; connect-src 'self'/);
  expect(setUpPage.match(/<script|src=|href=/g)).toEqual(['<script']);
});
