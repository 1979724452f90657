import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { TestServer } from '../lab/support/server';
import { endServer, startServer } from './support/world';

/** The first user: invited by whoever has the server, set up in a terminal of their own. */
let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => endServer(server));

const strata = async (user: string | undefined, args: string[], input?: string): Promise<{ code: number; text: string }> => {
  const { code, stdout, stderr } = await server.strata(args, { timeoutMs: 60_000, ...(user && { user }), ...(input !== undefined && { input }) });
  return { code, text: stdout + stderr };
};

test('a link makes ada a user in her own terminal, once; what her role may not is refused, and removed she is nobody', async () => {
  expect((await strata(undefined, ['user', 'list'])).text).toMatch(/^nobody yet/);
  const invited = await strata(undefined, ['user', 'invite', 'ada', '--role', 'viewer']);
  expect(invited).toMatchObject({ code: 0 });
  const link = /https:\S+/.exec(invited.text)?.[0] ?? '';
  expect(await strata('ada', ['login'], 'https://127.0.0.1/elsewhere')).toMatchObject({ code: 2, text: expect.stringContaining('that is no setup link') as string });
  const wrongPin = link.replace(/[0-9a-f]{64}$/, '0'.repeat(64));
  expect((await strata('ada', ['login'], wrongPin)).code).not.toBe(0); // another server: the code was not sent to it
  expect(await strata('ada', ['login'], `${link}\n`)).toMatchObject({ code: 0, text: expect.stringMatching(/^you are ada \(viewer\)/) as string });
  const config = join(server.dir, 'ada', '.config/strata/config.yaml');
  expect([existsSync(config), statSync(config).mode & 0o777]).toEqual([true, 0o600]);
  expect(readFileSync(config, 'utf8')).toContain('caPin: ');

  expect(await strata('ada', ['cluster', 'list'])).toMatchObject({ code: 0 });
  expect(await strata('ada', ['user', 'list'])).toMatchObject({ code: 1, text: expect.stringMatching(/role viewer may not/) as string });
  expect(await strata('bob', ['login'], link)).toMatchObject({ code: 1, text: expect.stringMatching(/it was used, or replaced/) as string });
  expect(await strata(undefined, ['user', 'invite', 'ada'])).toMatchObject({ code: 1, text: expect.stringContaining('strata user remove ada') as string });
  expect((await strata(undefined, ['user', 'list'])).text).toMatch(/ada +viewer +set-up/);

  expect(await strata(undefined, ['user', 'remove', 'ada', '--yes'])).toMatchObject({ code: 0 });
  expect(await strata('ada', ['cluster', 'list'])).toMatchObject({ code: 1, text: expect.stringMatching(/no token that this server knows/) as string });
}); // prettier-ignore
