import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Ran, until } from '../lab/support/program';
import type { TestServer } from '../lab/support/server';
import { endServer, soonMs, startServer, TestCluster } from './support/world';

let maker: TestServer;
let taker: TestServer;
let own: string;

beforeAll(async () => {
  maker = await startServer();
  // no mirror, no recipe, no address: whatever it installs from came in a file
  taker = await startServer({ mirrorDirs: '/nonexistent', bundleDir: '/nonexistent' });
});
afterAll(async () => {
  await endServer(maker);
  await endServer(taker);
});

const said = ({ code, stdout, stderr }: Ran): { code: number; text: string } => ({ code, text: stdout + stderr });
const strata = async (server: TestServer, ...args: string[]): Promise<{ code: number; text: string }> =>
  said(await server.strata(args, { timeoutMs: 120_000 }));
/** Killed, and back at work. */
async function killed(server: TestServer): Promise<void> {
  await server.backAs('server', server.kill('server'));
  await until('the server to take work', soonMs, async () => (await strata(server, 'bundle', 'list')).code === 0);
}
/** All that the taker has of artifacts and bundles. */
function kept(): string[] {
  const dirs = [join(dirname(taker.dir), 'cache'), join(taker.home, 'pushed-bundles')];
  return dirs.filter((d) => existsSync(d)).flatMap((d) => (readdirSync(d, { recursive: true }) as string[]).filter((n) => statSync(join(d, n)).isFile())).sort();
} // prettier-ignore

test('made on one server, a file is all that another needs: refused as unknown, trusted, taken, installed from', async () => {
  const dir = dirname(maker.dir);
  const file = join(dir, 'site.bundle');
  const cluster = await TestCluster.make(taker, 2);
  const spec = join(dir, 'cluster.yaml');
  writeFileSync(spec, JSON.stringify(cluster.specOf(['n1', 'n2'])));

  expect(await strata(maker, 'bundle', 'create', 'site@1.0.0', '-f', spec, '-o', file)).toMatchObject({ code: 0, text: expect.stringMatching(/signed by this server/) as string });
  own = /SHA256:[\w-]{43}/.exec((await strata(maker, 'bundle', 'trust', '--list')).text)?.[0] ?? '';
  expect(await strata(maker, 'bundle', 'verify', file)).toMatchObject({ code: 0 });
  expect((await strata(maker, 'bundle', 'inspect', file)).text).toContain(own);

  const before = kept();
  expect(await strata(taker, 'bundle', 'verify', file)).toMatchObject({ code: 1, text: expect.stringContaining(`strata bundle trust ${own}`) as string });
  expect(await strata(taker, 'bundle', 'push', file)).toMatchObject({ code: 2, text: expect.stringMatching(/which this server does not trust[^]*strata bundle trust/) as string });
  const alone = await cluster.finished({ kind: 'install', until: 'download' });
  expect(alone.run.result).not.toBe('done'); // it has nothing, and no way to get it
  expect(kept()).toEqual(before);

  expect(await strata(taker, 'bundle', 'trust', own)).toMatchObject({ code: 0 });
  expect(await strata(taker, 'bundle', 'push', file)).toMatchObject({ code: 0, text: expect.stringMatching(/site 1\.0\.0 is taken: \d+ of \d+ artifacts are new here/) as string });
  expect((await strata(taker, 'bundle', 'list')).text).toMatch(/site +1\.0\.0/);
  expect((await cluster.finished({ kind: 'install' })).run.result).toBe('done');
  cluster.stop();
}); // prettier-ignore

test('a file that was changed on the way, cut, or is old, is refused by the server and nothing stays of it', async () => {
  const dir = dirname(maker.dir);
  const [one, two] = [join(dir, 'parts-1.bundle'), join(dir, 'parts-2.bundle')];
  for (const [version, file] of [
    ['1.0.0', one],
    ['2.0.0', two],
  ] as const)
    // prettier-ignore
    expect(await strata(maker, 'bundle', 'create', `parts@${version}`, '--artifact', 'k3s@1.34.4+k3s1', '-o', file)).toMatchObject({ code: 0 });
  const before = kept();
  const bytes = readFileSync(two);
  const changed = Buffer.from(bytes);
  changed[changed.length - 2048] = (changed[changed.length - 2048] ?? 0) ^ 1;
  writeFileSync(join(dir, 'changed.bundle'), changed);
  writeFileSync(join(dir, 'cut.bundle'), bytes.subarray(0, -1500));
  for (const name of ['changed', 'cut']) expect(await strata(taker, 'bundle', 'push', join(dir, `${name}.bundle`))).toMatchObject({ code: 2, text: expect.stringMatching(/nothing of it was kept/) as string }); // prettier-ignore
  expect(kept()).toEqual(before);
  expect(await strata(taker, 'bundle', 'push', two)).toMatchObject({ code: 0 });
  expect(await strata(taker, 'bundle', 'push', one)).toMatchObject({ code: 2, text: expect.stringMatching(/has taken parts 2\.0\.0 already/) as string });
});

test('a server that is killed in mid-push takes the same file afterwards, and what it took is there after a restart', async () => {
  const dir = dirname(maker.dir);
  const file = join(dir, 'again.bundle');
  expect(await strata(maker, 'bundle', 'create', 'again@1.0.0', '--artifact', 'minio@2026.2.12', '-o', file)).toMatchObject({ code: 0 });
  const pushing = strata(taker, 'bundle', 'push', file);
  await killed(taker);
  await pushing; // taken or broken off: both are allowed
  expect(await strata(taker, 'bundle', 'push', file)).toMatchObject({ code: 0, text: expect.stringMatching(/again 1\.0\.0 is taken/) as string });
  await killed(taker);
  expect((await strata(taker, 'bundle', 'list')).text).toMatch(/again +1\.0\.0/);
});
