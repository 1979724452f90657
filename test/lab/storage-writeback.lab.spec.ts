import { newestRun, newRun, runs } from './support/cluster';
import { until } from './support/program';
import { RunWatch } from './support/run-watch';
import { withShared } from './support/shared-spec';
import { World } from './support/world';

/** `storage.cache.writeback`: what a node wrote and nobody has yet is never taken away with it. */
const long = 15 * 60_000;
const path = '/strata/rootfs/common';
let world: World;

beforeAll(async () => {
  world = await World.make({ nodes: 2, base: 'ready' });
  const spec = await world.specFile({}, (text) => withShared(text, { cache: { sizeMiB: 500, freeRatio: 0.1, writeback: true } }));
  const ran = await world.server.strata(['apply', '-f', spec, '--yes'], { timeoutMs: long });
  expect([ran.code, ran.code === 0 ? '' : ran.stdout.slice(-3_000) + ran.stderr]).toEqual([0, '']);
}, long);
afterAll(() => world?.dispose(), 300_000);

const sh = (node: string, script: string): Promise<string> => world.lab.must(node, ['sh', '-c', script], { timeoutMs: 120_000 });
interface Status {
  nodes: { name: string; cache: { staging: number | null } | null }[];
}
const staging = async (): Promise<number> =>
  (JSON.parse((await world.server.strata(['storage', 'status', '-o', 'json'])).stdout) as Status).nodes.find((n) => n.name === 'n2')?.cache?.staging ?? 0;

test('a node whose writes are not in the bucket yet is not removed before they are; then all of them are with the others', async () => {
  await world.lab.must('n1', ['systemctl', 'stop', 'strata-objects']);
  await sh('n2', `mkdir -p ${path}/late && cd ${path}/late && for i in $(seq 40); do head -c 50000 /dev/urandom >f$i && sync f$i || exit 1; done && sha256sum f* >/root/sums`);
  expect(Number(await until('the status to tell what waits', 60_000, async () => (await staging()) || null))).toBeGreaterThanOrEqual(40 * 50_000);

  const known = (await runs(world)).map((r) => r.id);
  await world.server.must(['node', 'remove', 'n2', '--yes', '--detach'], { timeoutMs: long });
  const { id } = await newRun(world, known);
  const watch = new RunWatch(world, id);
  const heard = watch.hearAll();
  const waits = (): boolean => watch.events.some((e) => e.kind === 'OrderProgressed' && JSON.stringify(e.body).includes('are not in the bucket yet'));
  await until('the removal to wait for the bucket', 240_000, () => waits() || null);
  expect((await world.lab.exec('n2', ['mountpoint', '-q', '/strata/rootfs'])).code).toBe(0);

  await world.lab.must('n1', ['systemctl', 'start', 'strata-objects']);
  await heard;
  expect([(await newestRun(world)).result, (await world.lab.exec('n2', ['mountpoint', '-q', '/strata/rootfs'])).code === 0]).toEqual(['done', false]);
  const sums = await sh('n2', 'cat /root/sums');
  expect(await world.lab.must('n1', ['sh', '-c', `cd ${path}/late && sha256sum -c --quiet -`], { input: sums, timeoutMs: 120_000 })).toBe('');
}, long); // prettier-ignore
