import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { ready } from './support/cluster';
import { DeadPort } from './support/forward-proxy';
import { TestServer } from './support/server';
import { differences, type Snapshot, snapshot } from './support/snapshot';
import { World } from './support/world';

/** Bare machines and a server that reach nothing: all that an install needs came in one signed file. */
const long = 20 * 60_000;
const two = ['n1', 'n2'];
let maker: TestServer;
let world: World;
let dead: DeadPort;
let spec: string;
let file: string;
const before = new Map<string, Snapshot>();

beforeAll(async () => {
  dead = await DeadPort.listen();
  const nowhere = `http://127.0.0.1:${dead.port}`;
  const noWay = Object.fromEntries(['http_proxy', 'https_proxy', 'HTTP_PROXY', 'HTTPS_PROXY'].map((name): [string, string] => [name, nowhere]));
  maker = await TestServer.start();
  // an empty store of its own, no bundles of its own, and a proxy that is dead: whatever it asks of the outside, it hears nothing, and is heard
  world = await World.make(
    { nodes: 2, base: 'bare' },
    { settings: { cacheDir: join(maker.dir, 'empty'), bundleDir: '/nonexistent' }, env: { ...noWay, NODE_USE_ENV_PROXY: '1' } },
  );
  spec = await world.specFile({}, (text) => {
    const given = parse(text) as { spec: { native?: object } };
    return stringify({ ...given, spec: { ...given.spec, native: { ...given.spec.native, packagesFrom: 'server' }, bundles: ['demo'] } }, { lineWidth: 0 });
  });
  for (const name of two) before.set(name, await snapshot(world.lab, name));
  await world.lab.outside('off');
  file = join(maker.dir, 'site.bundle');
}, long);
afterAll(async () => {
  await world?.dispose();
  await maker?.dispose();
  await dead?.close();
  if (file !== undefined) rmSync(file, { force: true });
}, 300_000);

test(
  'without the file the plan is refused, and nothing is changed',
  async () => {
    const ran = await world.server.strata(['apply', '-f', spec, '--yes'], { timeoutMs: long });
    expect(ran.code).not.toBe(0);
    expect(ran.stdout + ran.stderr).toMatch(/there is no bundle "demo"/);
  },
  long,
);

test(
  'made where everything can be reached, signed, pushed: taken only when its signer is trusted',
  async () => {
    await maker.must(['bundle', 'create', 'site@1.0.0', '-f', spec, '-o', file], { timeoutMs: long });
    const own = /SHA256:[\w-]{43}/.exec(await maker.must(['bundle', 'trust', '--list']))?.[0] ?? '';
    const push = (): ReturnType<TestServer['strata']> => world.server.strata(['bundle', 'push', file], { timeoutMs: long });
    expect((await push()).stderr).toMatch(/does not trust/);
    await world.server.must(['bundle', 'trust', own]);
    expect(await push()).toMatchObject({ code: 0 });
  },
  long,
);

test(
  'from it two bare machines become a cluster, with their packages and a bundle',
  async () => {
    const ran = await world.server.strata(['apply', '-f', spec, '--yes'], { timeoutMs: long });
    expect([ran.code, ran.code === 0 ? '' : ran.stdout.slice(-4_000) + ran.stderr.slice(-1_000)]).toEqual([0, '']);
    expect(await ready(world)).toEqual({ n1: true, n2: true });
    const pods = await world.server.strata(['pods', '--cluster', world.cluster, '--troubled']);
    expect(pods.code).toBe(0);
    for (const name of two) expect(await world.lab.must(name, ['dpkg-query', '-W', '-f', '${db:Status-Abbrev}', 'socat'])).toMatch(/^ii/);
  },
  long,
);

test('neither server nor machines asked anything of the outside', () => {
  expect(dead.heard).toEqual([]);
});

test(
  'an uninstall gives the machines back as they were',
  async () => {
    const ran = await world.server.strata(['uninstall', world.cluster, '--yes'], { timeoutMs: long });
    expect([ran.code, ran.code === 0 ? '' : ran.stdout.slice(-4_000)]).toEqual([0, '']);
    for (const name of two) expect([name, ...differences(before.get(name) ?? [], await snapshot(world.lab, name))]).toEqual([name]);
  },
  long,
);
