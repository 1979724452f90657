import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exitCodes } from '@strata/model';
import { leaksIn } from '../scenario/support/leaks';
import { newestRun, outcomes, ready } from './support/cluster';
import { otherClock } from './support/other-clock';
import { OutsideBucket } from './support/outside-bucket';
import { freePorts } from './support/server';
import { type Snapshot, differences, snapshot } from './support/snapshot';
import { withShared } from './support/shared-spec';
import { World } from './support/world';

/** Three nodes with one file system whose objects are in somebody else's bucket: what is refused before any change, the whole way, and what is deleted. */
const long = 20 * 60_000;
const nodes = ['n1', 'n2', 'n3'];
const path = '/strata/rootfs';
const good = { access: 'cluster', secret: 'a-secret-that-is-nowhere-else' };
const reader = { access: 'reader', secret: 'another-secret-of-a-reader' };
const before = new Map<string, Snapshot>();
let world: World;
let outside: OutsideBucket;
let full: OutsideBucket;
let ahead: Awaited<ReturnType<typeof otherClock>>;

beforeAll(async () => {
  world = await World.make({ nodes: 3, base: 'ready' });
  for (const name of nodes) before.set(name, await snapshot(world.lab, name));
  outside = await OutsideBucket.up(world.lab.hostAddress);
  for (const bucket of ['ours', 'foreign', 'versioned']) await outside.mc(['mb', `o/${bucket}`]);
  await outside.mc(['mb', '--with-lock', 'o/locked']);
  await outside.mc(['version', 'enable', 'o/versioned']);
  await outside.put('foreign/theirs.txt', 'a letter');
  await outside.user(good.access, good.secret, 'readwrite');
  await outside.policy('reads', ['s3:ListBucket', 's3:GetObject']);
  await outside.user(reader.access, reader.secret, 'reads');
  await outside.mc(['mb', 'o/bounded']);
  await outside.mc(['quota', 'set', 'o/bounded', '--size', '1KiB']);
  const [port = 0] = await freePorts(1);
  ahead = await otherClock(outside, { port, aheadMs: 20 * 60_000 });
  full = await OutsideBucket.up(world.lab.hostAddress, { diskMiB: 32 });
  await full.mc(['mb', 'o/ours']);
  await full.user(good.access, good.secret, 'readwrite');
  await full.fill();
}, long);
afterAll(async () => {
  ahead?.close();
  await full?.dispose();
  await outside?.dispose();
  await world?.dispose();
}, 300_000);

const inNode = (node: string, argv: readonly string[], timeoutMs = 60_000): Promise<string> => world.lab.must(node, argv, { timeoutMs });
async function specOf(bucket: string, more: Record<string, unknown> = {}): Promise<string> {
  const authority = join(world.server.dir, 'outside.pem');
  writeFileSync(authority, outside.caPem + full.caPem);
  return world.specFile({}, (text) => {
    const objects = { kind: 's3', endpoint: outside.endpoint, bucket, accessKeyFrom: 'env:BUCKET_ACCESS', secretKeyFrom: 'env:BUCKET_SECRET', caCertificates: [`file:${authority}`], ...more };
    return withShared(text, { objects });
  });
} // prettier-ignore
const apply = async (spec: string, key = good): Promise<{ code: number; said: string }> => {
  const ran = await world.server.strata(['apply', '-f', spec, '--yes'], { timeoutMs: long, env: { BUCKET_ACCESS: key.access, BUCKET_SECRET: key.secret } });
  return { code: ran.code, said: ran.stdout + ran.stderr };
};

interface Refusal {
  what: string;
  bucket: string;
  code: string;
  more?: () => Record<string, unknown>;
  key?: typeof good;
  says?: RegExp;
}
const refusals: Refusal[] = [
  { what: 'an authority that nobody trusts', bucket: 'ours', more: () => ({ caCertificates: undefined }), code: 'storage.untrusted' },
  { what: 'a wrong secret', bucket: 'ours', key: { ...good, secret: 'not-this-one-at-all' }, code: 'storage.wrong-key' },
  { what: 'a key that nobody knows', bucket: 'ours', key: { ...good, access: 'nobody' }, code: 'storage.wrong-key' },
  { what: 'a bucket that is not there', bucket: 'nowhere', code: 'storage.no-bucket' },
  { what: 'a bucket with objects of others', bucket: 'foreign', code: 'storage.foreign-bucket' },
  { what: 'a key that may only read', bucket: 'ours', key: reader, code: 'storage.read-only' },
  { what: 'a bucket that keeps versions', bucket: 'versioned', code: 'storage.versioned-bucket' },
  { what: 'a bucket with object lock', bucket: 'locked', code: 'storage.versioned-bucket' },
  { what: 'a store whose clock is ahead', bucket: 'ours', more: () => ({ endpoint: ahead.endpoint }), code: 'storage.clock-skew', says: /this machine is (1199|120[01]) s behind it/ },
  { what: 'a store whose disk is full', bucket: 'ours', more: () => ({ endpoint: full.endpoint }), code: 'storage.no-space' },
  { what: 'a bucket whose quota is used up', bucket: 'bounded', code: 'storage.no-space' },
]; // prettier-ignore
test.each(refusals)('$what is refused by its name on every node, before anything but the agent is there', async ({ bucket, more, key, code, says }) => {
  const ran = await apply(await specOf(bucket, more?.()), key);
  if (says) expect(ran.said).toMatch(says);
  expect(ran.code).not.toBe(0);
  for (const name of nodes) expect(ran.said).toMatch(new RegExp(`blocker on ${name}: [^]*\\[${code}\\]\\s+what to do: \\S`));
  const done = [...outcomes(await world.server.api.eventsOf((await newestRun(world)).id))].filter(([step]) => !step.startsWith('cluster/'));
  expect(done.filter(([step]) => !/\/(agent\.install|objects\.check)$/.test(step))).toEqual([]);
  for (const name of nodes) expect(await world.lab.exec(name, ['test', '-e', '/etc/strata/storage'])).toMatchObject({ code: 1 });
  expect(await outside.list('ours')).toEqual([]);
}, long); // prettier-ignore

test('apply makes it, every node is Ready and sees what all others wrote; another plan has nothing to do, also without the key', async () => {
  const spec = await specOf('ours');
  const ran = await apply(spec);
  expect([ran.code, ran.code === 0 ? '' : ran.said.slice(-4_000)]).toEqual([0, '']);
  expect(await ready(world)).toEqual({ n1: true, n2: true, n3: true });
  await inNode('n1', ['dd', 'if=/dev/urandom', `of=${path}/common/big`, 'bs=1M', 'count=40', 'conv=fsync', 'status=none']);
  const sums = await Promise.all(nodes.map((name) => inNode(name, ['sha256sum', `${path}/common/big`])));
  expect(new Set(sums).size).toBe(1);
  const keys = await outside.list('ours');
  expect(keys.length).toBeGreaterThan(10);
  expect(keys.filter((key) => !key.startsWith(`strata-${world.cluster}/`))).toEqual([]); // no trial is left
  const again = await world.server.strata(['plan', '-f', spec, '--detailed-exitcode'], { timeoutMs: long });
  expect([again.code, again.code === 0 ? '' : again.stdout + again.stderr]).toEqual([0, '']);
}, long); // prettier-ignore

test('storage verify is green on all pairs; it fails while the bucket is read-only, and names who cannot write', async () => {
  const verify = (): ReturnType<typeof world.server.strata> => world.server.strata(['storage', 'verify'], { timeoutMs: long });
  const first = await verify();
  expect([first.code, first.code === 0 ? '' : first.stdout + first.stderr]).toEqual([0, '']);
  const seen = outcomes(await world.server.api.eventsOf((await newestRun(world)).id));
  expect([...seen].filter(([step]) => step.endsWith('view.read'))).toHaveLength(nodes.length);
  await outside.mc(['admin', 'policy', 'detach', 'o', 'readwrite', '--user', good.access]);
  await outside.mc(['admin', 'policy', 'attach', 'o', 'reads', '--user', good.access]);
  const second = await verify();
  await outside.mc(['admin', 'policy', 'attach', 'o', 'readwrite', '--user', good.access]);
  expect(second.code).toBe(1);
  expect(second.stdout + second.stderr).toMatch(/\bdd\b/);
}, long); // prettier-ignore

test('no key in arguments, units, journals, the ledger, or files of the server and the nodes that others may read', async () => {
  const secrets = new Map([['secret key', good.secret], ['secret of the reader', reader.secret]]); // prettier-ignore
  for (const name of nodes) {
    expect(leaksIn(secrets, 'arguments', await inNode(name, ['sh', '-c', 'cat /proc/[0-9]*/cmdline']))).toEqual([]);
    expect(leaksIn(secrets, 'the journal', await inNode(name, ['journalctl', '--no-pager', '-o', 'export', '--all'], 120_000))).toEqual([]);
    expect(leaksIn(secrets, 'a unit', await inNode(name, ['sh', '-c', 'cat /etc/systemd/system/strata-* /etc/strata/storage/juicefs/env']))).toEqual([]);
  }
  const logs = join(world.server.home, 'logs');
  for (const file of readdirSync(logs)) expect(leaksIn(secrets, file, readFileSync(join(logs, file)))).toEqual([]);
  expect(leaksIn(secrets, 'the ledger', JSON.stringify(await world.server.api.eventsOf((await newestRun(world)).id)))).toEqual([]);
}, long); // prettier-ignore

test('uninstall names the places of the data, which stay', async () => {
  const kept = await world.server.must(['uninstall', world.cluster, '--yes'], { timeoutMs: long });
  expect(kept).toMatch(/the data of the shared file system: they stay in n1:\/var\/lib\/strata-metadata .*and the bucket ours at https:/);
  expect((await outside.list('ours')).length).toBeGreaterThan(10);
}, long); // prettier-ignore

test('a cluster of another name is refused at the first look: the metadata that stay say whose they are', async () => {
  const spec = await world.specFile({}, (text) => withShared(text).replace(/^(metadata:\n {2}name: ).*$/m, '$1another'));
  const ran = await world.server.strata(['apply', '-f', spec, '--yes'], { timeoutMs: long });
  expect(ran.code).toBe(exitCodes.precheck);
  expect(ran.stdout + ran.stderr).toMatch(new RegExp(`blocker on n1: [^]*strata-${world.cluster}, not strata-another[^]*\\[storage.foreign-volume\\]\\s+what to do: \\S`));
  for (const name of nodes) expect(await world.lab.exec(name, ['test', '-e', '/etc/strata'])).toMatchObject({ code: 1 });
}, long); // prettier-ignore

test('the same cluster takes its data again; with --delete-data ours go, and only ours', async () => {
  const ran = await apply(await specOf('ours'));
  expect([ran.code, ran.code === 0 ? '' : ran.said.slice(-4_000)]).toEqual([0, '']);
  expect((await inNode('n3', ['stat', '-c', '%s', `${path}/common/big`])).trim()).toBe(String(40 << 20));
  // somebody else found the bucket, and has a volume there whose name begins like ours
  const foreign = ['theirs.txt', `strata-${world.cluster}-other/file`];
  for (const key of foreign) await outside.put(`ours/${key}`, 'a letter');
  await world.server.must(['uninstall', world.cluster, '--yes', '--delete-data'], { timeoutMs: long });
  expect(await outside.list('ours')).toEqual([...foreign].sort());
  for (const name of nodes) {
    const left = differences(before.get(name) ?? [], await snapshot(world.lab, name));
    expect([name, left.filter((line) => !/^[+-] (file|content) \| \/var\/lib\/private(\/? |$)/.test(line))]).toEqual([name, []]);
  }
}, long); // prettier-ignore
