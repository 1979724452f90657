import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { OutsidePostgres, OutsideRedis } from '@strata/host-local/testing';
import { leaksIn } from '../scenario/support/leaks';
import { newestRun, outcomes, ready } from './support/cluster';
import { until } from './support/program';
import { type Snapshot, differences, snapshot } from './support/snapshot';
import { withShared } from './support/shared-spec';
import { World } from './support/world';

/** Two nodes whose metadata are with somebody else: what is refused before any change, the whole way with a PostgreSQL, one that goes back, and a Redis. */
const long = 20 * 60_000;
const nodes = ['n1', 'n2'];
const path = '/strata/rootfs';
const password = String.raw`a$word"of\one'kind`;
const newPassword = 'another-word-of-the-same-user';
const before = new Map<string, Snapshot>();
let world: World;
let postgres: OutsidePostgres;
let redis: OutsideRedis;
let dropping: OutsideRedis;

beforeAll(async () => {
  world = await World.make({ nodes: 2, base: 'ready' });
  for (const name of nodes) before.set(name, await snapshot(world.lab, name));
  const { hostAddress } = world.lab;
  postgres = await OutsidePostgres.up(hostAddress);
  redis = await OutsideRedis.up(hostAddress);
  dropping = await OutsideRedis.up(hostAddress, { policy: 'allkeys-lru' });
  for (const name of ['strata', 'foreign', 'other']) await postgres.database(name, password);
  await postgres.sql('postgres', `CREATE ROLE reader LOGIN PASSWORD '${password.replaceAll("'", "''")}'`);
  await postgres.sql('foreign', 'CREATE TABLE letters (x int)');
  await postgres.sql('other', `SET ROLE other; CREATE TABLE jfs_setting (name text, value text); INSERT INTO jfs_setting VALUES ('format', '{"Name": "strata-else", "Bucket": "b"}')`);
  for (const one of [redis, dropping]) await one.user('strata', password);
}, long); // prettier-ignore
afterAll(async () => {
  for (const one of [postgres, redis, dropping]) await one?.dispose();
  await world?.dispose();
}, 300_000);

const inNode = (node: string, argv: readonly string[], timeoutMs = 60_000): Promise<string> => world.lab.must(node, argv, { timeoutMs });
const sh = (node: string, script: string): Promise<string> => inNode(node, ['sh', '-c', script]);
async function specOf(url: string, more: Record<string, unknown> = {}): Promise<string> {
  const authority = join(world.server.dir, 'outside.pem');
  writeFileSync(authority, postgres.caPem + redis.caPem + dropping.caPem);
  const metadata = { kind: 'external', url, passwordFrom: 'env:META', caCertificates: [`file:${authority}`], ...more };
  return world.specFile({}, (text) => withShared(text, { metadata }));
}
const ours = (): string => postgres.url('strata', 'strata');
interface Ran {
  code: number;
  said: string;
}
const run = async (argv: readonly string[], META?: string): Promise<Ran> => {
  const ran = await world.server.strata(argv, { timeoutMs: long, env: META === undefined ? {} : { META } });
  return { code: ran.code, said: ran.stdout + ran.stderr };
};
const apply = (spec: string, META = password): Promise<Ran> => run(['apply', '-f', spec, '--yes'], META);
const good = ({ code, said }: Ran): void => expect([code, code === 0 ? '' : said.slice(-4_000)]).toEqual([0, '']);
const verify = (): Promise<Ran> => run(['storage', 'verify']);
const stepsDone = async (): Promise<string[]> => [...outcomes(await world.server.api.eventsOf((await newestRun(world)).id))].map(([step]) => step);

interface Refusal {
  what: string;
  url: () => string;
  code: string;
  more?: Record<string, unknown>;
  word?: string;
}
const refusals: Refusal[] = [
  { what: 'an authority that nobody trusts', url: ours, more: { caCertificates: undefined }, code: 'storage.untrusted' },
  { what: 'nobody there', url: () => ours().replace(/:\d+\//, ':1/'), code: 'storage.unreachable' },
  { what: 'a wrong password', url: ours, word: 'not-this-one', code: 'storage.wrong-password' },
  { what: 'a database that is not there', url: () => postgres.url('strata', 'nowhere'), code: 'storage.no-database' },
  { what: 'a user who may make no tables', url: () => postgres.url('reader', 'strata'), code: 'storage.read-only' },
  { what: 'a volume of another cluster', url: () => postgres.url('other', 'other'), code: 'storage.foreign-volume' },
  { what: 'tables of others', url: () => postgres.url('foreign', 'foreign'), code: 'storage.foreign-metadata' },
  { what: 'a Redis that drops keys', url: () => dropping.url('strata', 1), code: 'storage.drops-keys' },
];
test.each(refusals)('$what is refused by its name on every node, before anything but the agent is there', async ({ url, more, word, code }) => {
  const ran = await apply(await specOf(url(), more), word);
  expect(ran.code).not.toBe(0);
  for (const name of nodes) expect(ran.said).toMatch(new RegExp(`blocker on ${name}: [^]*\\[${code}\\]\\s+what to do: \\S`));
  expect((await stepsDone()).filter((step) => !step.startsWith('cluster/') && !/\/(agent\.install|metadata\.check)$/.test(step))).toEqual([]);
  for (const name of nodes) expect(await world.lab.exec(name, ['test', '-e', '/etc/strata/storage'])).toMatchObject({ code: 1 });
  expect([await postgres.tables('strata'), await postgres.tables('foreign')]).toEqual([[], ['letters']]);
}, long); // prettier-ignore

test('apply makes it with a PostgreSQL, every node is Ready and sees what the other wrote; another plan has nothing to do, also without the password', async () => {
  const spec = await specOf(ours());
  good(await apply(spec));
  expect(await ready(world)).toEqual({ n1: true, n2: true });
  await inNode('n1', ['dd', 'if=/dev/urandom', `of=${path}/common/big`, 'bs=1M', 'count=20', 'conv=fsync', 'status=none']);
  expect(new Set(await Promise.all(nodes.map((name) => inNode(name, ['sha256sum', `${path}/common/big`])))).size).toBe(1);
  expect(await postgres.tables('strata')).toEqual(expect.arrayContaining(['jfs_setting', 'jfs_node']));
  for (const name of nodes) expect(await world.lab.exec(name, ['systemctl', 'cat', 'strata-metadata'])).not.toMatchObject({ code: 0 });
  good(await run(['plan', '-f', spec, '--detailed-exitcode']));
}, long); // prettier-ignore

test('verify and status are green; they fail while the database is stopped, with words, and are green again', async () => {
  good(await verify());
  const well = await run(['storage', 'status']);
  good(well);
  expect(well.said).toMatch(/metadata with somebody else at postgres:\S+: reached by every node/);
  await postgres.stop();
  const [status, failed] = [await run(['storage', 'status']), await verify()];
  await postgres.start();
  expect([status.code, failed.code]).toEqual([1, 1]);
  expect(status.said).toMatch(/n1: the metadata do not answer: postgres:\S+ does not answer/);
  await until('the mounts to answer again', 120_000, async () => ((await run(['storage', 'status'])).code === 0 ? true : null));
  good(await verify());
}, long); // prettier-ignore

test('drills, failovers and dumps are not ours, and another database is refused', async () => {
  for (const argv of [['storage', 'drill', '--yes'], ['storage', 'failover', '--yes'], ['storage', 'restore', '--from', 'latest', '--yes']]) {
    const ran = await run(argv);
    expect([ran.code === 0, ran.said]).toEqual([false, expect.stringMatching(/the metadata are with somebody else \(postgres:/)]);
  }
  expect((await apply(await specOf(postgres.url('strata', 'foreign')))).said).toMatch(/an apply moves none/);
}, long); // prettier-ignore

test('another password is taken: every mount is begun anew with it, and a wrong one changes nothing', async () => {
  await postgres.sql('postgres', `ALTER ROLE strata PASSWORD '${newPassword}'`);
  const spec = await specOf(ours());
  const wrong = await apply(spec, 'a-wrong-one');
  expect([wrong.code === 0, wrong.said]).toEqual([false, expect.stringContaining('[storage.wrong-password]')]);
  for (const name of nodes) expect(await sh(name, 'cat /etc/strata/storage/juicefs/env')).toContain('of\\\\one');
  good(await apply(spec, newPassword));
  for (const name of nodes) expect(await sh(name, 'cat /etc/strata/storage/juicefs/env')).toContain(`META_PASSWORD=${newPassword}\n`);
  good(await verify());
}, long); // prettier-ignore

test('a database that goes back under mounted clients closes every node, and is made safe by a restore', async () => {
  await postgres.stop();
  postgres.copy('older');
  await postgres.start();
  await until('the mounts to answer again', 120_000, async () => ((await run(['storage', 'status'])).code === 0 ? true : null));
  for (const name of nodes) await sh(name, `for i in 1 2 3 4 5; do head -c 3000000 /dev/urandom >${path}/common/later-${name}-$i; done; sync ${path}/common/*`);
  const beats = async (): Promise<number[]> => Promise.all(nodes.map(async (name) => Number(await sh(name, 'cat /etc/strata/storage/juicefs/beat'))));
  const noted = await beats();
  await until('the nodes to count on', 60_000, async () => ((await beats()).every((beat, i) => beat > (noted[i] ?? 0) + 2) ? true : null));
  await postgres.stop();
  postgres.putBack('older');
  await postgres.start();
  for (const name of nodes)
    await until(`${name} to close itself`, 120_000, async () => ((await world.lab.exec(name, ['test', '-e', '/etc/strata/storage/juicefs/closed'])).code === 0 ? true : null));
  const refused = await apply(await specOf(ours()), newPassword);
  expect([refused.code === 0, refused.said]).toEqual([false, expect.stringMatching(/the tree went back from \d+ to \d+[^]*storage\.went-back/)]);
  const restored = await run(['storage', 'restore', '--from', 'current', '--yes']);
  good(restored);
  expect(restored.said).toMatch(/with somebody else[^]*blocks \(\d+ bytes\) in the bucket belong to no file any more/);
  const counters = new Map((await postgres.sql<{ name: string; value: string }>('strata', 'SELECT name, value FROM jfs_counter')).map((r) => [r.name, Number(r.value)]));
  expect(counters.get('nextChunk')).toBeGreaterThan(1_000_000);
  expect(new Set(await Promise.all(nodes.map((name) => inNode(name, ['sha256sum', `${path}/common/big`])))).size).toBe(1);
  for (const name of nodes) await sh(name, `head -c 3000000 /dev/urandom >${path}/common/new-${name}; sync ${path}/common/new-${name}`);
  expect(await sh('n1', `sha256sum ${path}/common/new-*`)).toBe(await sh('n2', `sha256sum ${path}/common/new-*`));
  good(await verify());
}, long); // prettier-ignore

test(
  'no password in arguments, units, journals, logs or the ledger',
  async () => {
    const secrets = new Map([['password', password], ['new password', newPassword]]); // prettier-ignore
    for (const name of nodes) {
      expect(leaksIn(secrets, 'arguments', await sh(name, 'cat /proc/[0-9]*/cmdline'))).toEqual([]);
      expect(leaksIn(secrets, 'the journal', await inNode(name, ['journalctl', '--no-pager', '-o', 'export', '--all'], 120_000))).toEqual([]);
      expect(leaksIn(secrets, 'a unit', await sh(name, 'cat /etc/systemd/system/strata-*'))).toEqual([]);
      expect((await sh(name, 'stat -c "%a %u" /etc/strata/storage/juicefs/env')).trim()).toBe('600 0');
    }
    const logs = join(world.server.home, 'logs');
    for (const file of readdirSync(logs)) expect(leaksIn(secrets, file, readFileSync(join(logs, file)))).toEqual([]);
    expect(leaksIn(secrets, 'the ledger', JSON.stringify(await world.server.api.eventsOf((await newestRun(world)).id)))).toEqual([]);
  },
  long,
);

test('uninstall leaves the data and names them; the same cluster takes them again; with --delete-data ours go, and only ours', async () => {
  expect(await world.server.must(['uninstall', world.cluster, '--yes'], { timeoutMs: long })).toMatch(/they stay in n1:\/var\/lib\/strata-objects and the metadata at postgres:/);
  good(await apply(await specOf(ours()), newPassword));
  expect((await inNode('n2', ['stat', '-c', '%s', `${path}/common/big`])).trim()).toBe(String(20 << 20));
  await postgres.sql('strata', 'CREATE TABLE letters (x int)');
  await world.server.must(['uninstall', world.cluster, '--yes', '--delete-data'], { timeoutMs: long });
  expect(await postgres.tables('strata')).toEqual(['letters']);
}, long); // prettier-ignore

test(
  'a Redis of somebody else serves as well, and every machine is as it was in the end',
  async () => {
    good(await apply(await specOf(redis.url('strata', 3))));
    good(await verify());
    await redis.ask(3, (r) => r.set('letters', 'of others'));
    await world.server.must(['uninstall', world.cluster, '--yes', '--delete-data'], { timeoutMs: long });
    expect(await redis.ask(3, (r) => r.keys('*'))).toEqual(['letters']);
    for (const name of nodes) {
      const left = differences(before.get(name) ?? [], await snapshot(world.lab, name));
      expect([name, left.filter((line) => !/^[+-] (file|content) \| \/var\/lib\/private(\/? |$)/.test(line))]).toEqual([name, []]);
    }
  },
  long,
);
