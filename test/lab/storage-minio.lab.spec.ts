import { leaksIn } from '../scenario/support/leaks';
import { newestRun, ready } from './support/cluster';
import { runProgram } from './support/program';
import { differences, type Snapshot, snapshot } from './support/snapshot';
import { withShared } from './support/shared-spec';
import { World } from './support/world';

/** The shared file system with its objects in MinIO, on another node than the metadata. */
const long = 20 * 60_000;
const nodes = ['n1', 'n2'];
const path = '/strata/rootfs';
const before = new Map<string, Snapshot>();
let world: World;
let spec: string;

beforeAll(async () => {
  world = await World.make({ nodes: 2, base: 'ready' });
  for (const name of nodes) before.set(name, await snapshot(world.lab, name));
  spec = await world.specFile({}, (text) => withShared(text, { objects: { kind: 'minio', node: 'n2' } }));
}, long);
afterAll(() => world?.dispose(), 300_000);
const inNode = (node: string, argv: readonly string[], timeoutMs = 60_000): Promise<string> => world.lab.must(node, argv, { timeoutMs });

test('apply makes it, and what one node writes the other reads', async () => {
  const ran = await world.server.strata(['apply', '-f', spec, '--yes'], { timeoutMs: long });
  expect([ran.code, ran.code === 0 ? '' : ran.stdout.slice(-3_000) + ran.stderr]).toEqual([0, '']);
  expect(await ready(world)).toEqual({ n1: true, n2: true });
  await inNode('n1', ['dd', 'if=/dev/urandom', `of=${path}/common/big`, 'bs=1M', 'count=40', 'conv=fsync', 'status=none']);
  const sums = await Promise.all(nodes.map((name) => inNode(name, ['sha256sum', `${path}/common/big`])));
  expect(sums[0]).toBe(sums[1]);
  const again = await world.server.strata(['plan', '-f', spec, '--detailed-exitcode'], { timeoutMs: long });
  expect([again.code, again.code === 0 ? '' : again.stdout]).toEqual([0, '']);
}, long); // prettier-ignore

test('only the S3 port with TLS is on the network, nobody comes in without the key, and no secret is where others see it', async () => {
  const { address } = world.lab.node('n2');
  const listening = (await inNode('n2', ['ss', '-Hlntp'])).split('\n').filter((l) => l.includes('"minio"')).map((l) => l.trim().split(/\s+/)[3] ?? ''); // prettier-ignore
  expect(listening.filter((at) => !/^(127\.0\.0\.1|\[::1\]):9000$/.test(at))).toEqual([`${address}:9000`]);
  const curl = ['nsenter', '-t', String(world.lab.node('n1').pid), '-n', 'curl', '-sk', '-m', '10', '-o', '/dev/null', '-w', '%{http_code}'] as const;
  const status = async (of: string): Promise<string> => (await runProgram([...curl, of], { timeoutMs: 20_000 })).stdout;
  expect(await status(`https://${address}:9000/${world.cluster}-rootfs?list-type=2`)).toBe('403');
  expect(await status(`https://${address}:9000/`)).toBe('403');
  const env = await inNode('n2', ['cat', '/etc/strata/storage/minio/env']);
  const secrets = new Map([['administrator', /PASSWORD=(\S+)/.exec(env)?.[1] ?? ''], ['key', (await inNode('n2', ['cat', '/etc/strata/storage/minio/user'])).split('\n')[1] ?? '']]); // prettier-ignore
  for (const [what, value] of secrets) expect([what, value.length]).toEqual([what, 40]);
  expect(leaksIn(secrets, 'arguments', await inNode('n2', ['sh', '-c', 'cat /proc/[0-9]*/cmdline']))).toEqual([]);
  for (const name of nodes) expect(leaksIn(secrets, 'the journal', await inNode(name, ['journalctl', '--no-pager', '-o', 'export', '--all'], 120_000))).toEqual([]);
}, long); // prettier-ignore

test('after uninstall each machine is what it was, but for the data', async () => {
  await world.server.must(['uninstall', world.cluster, '--yes'], { timeoutMs: long });
  expect((await newestRun(world)).result).toBe('done');
  const data = /^[+-] (file|content) \| \/var\/lib\/(private(\/|$| )|strata-(metadata|minio))\S*/;
  for (const name of nodes) {
    const kept = differences(before.get(name) ?? [], await snapshot(world.lab, name));
    expect([name, kept.filter((line) => !data.test(line))]).toEqual([name, []]);
  }
}, long); // prettier-ignore
