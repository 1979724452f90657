import { setTimeout as sleep } from 'node:timers/promises';
import { ready } from './support/cluster';
import { until } from './support/program';
import { withShared } from './support/shared-spec';
import { World } from './support/world';
import { WriteLoad } from './support/write-load';

/** What breaks under a shared file system that is written to from three nodes: nothing that was flushed is lost, and it goes on without a command. */
const long = 30 * 60_000;
const nodes = ['n1', 'n2', 'n3'];
const path = '/strata/rootfs';
const objects = process.env.STRATA_OBJECTS === 'minio' ? 'minio' : 'seaweedfs';
const objectsUnit = objects === 'minio' ? 'strata-minio.service' : 'strata-objects.service';
const figures: string[] = [];
let world: World;

beforeAll(async () => {
  world = await World.make({ nodes: 3, base: 'ready', diskSize: '24G' });
  const spec = await world.specFile({}, (text) => withShared(text, { cache: { sizeMiB: 500, freeRatio: 0.1 }, objects: { kind: objects } }));
  const ran = await world.server.strata(['apply', '-f', spec, '--yes'], { timeoutMs: long });
  if (ran.code !== 0) throw new Error(ran.stdout.slice(-3_000) + ran.stderr);
}, long);
afterAll(async () => {
  process.stdout.write(`\n${figures.map((f) => `    ${f}`).join('\n')}\n`);
  await world?.dispose();
}, 300_000);

const inNode = (node: string, argv: readonly string[], timeoutMs = 60_000): Promise<string> => world.lab.must(node, argv, { timeoutMs });
const unit = (node: string, verb: string, name: string): Promise<string> => inNode(node, ['systemctl', verb, name]);
/** The pids of the mount on n2: supervisor, worker. */
const mountPids = async (): Promise<string[]> => (await inNode('n2', ['pgrep', '-f', 'juicefs mount'])).trim().split('\n');

test('10,000 small files and one of 2 GiB that n2 writes arrive as they are at n3', async () => {
  const small = 'mkdir -p "$1/small" && cd "$1/small" && perl -e \'for (0..9999) { open(my $f, ">", sprintf("%05d", $_)) or die; print $f "file $_\\n" x (1 + $_ % 500) or die; close($f) or die }\'';
  const sums = 'cd "$1" && find small -type f | sort | xargs sha256sum | sha256sum; sha256sum < big';
  const begun = Date.now();
  await inNode('n2', ['sh', '-c', `${small} && dd if=/dev/urandom of="$1/big" bs=4M count=512 conv=fsync status=none`, 'sh', `${path}/common`], long);
  const written = Date.now();
  const seen = await inNode('n3', ['sh', '-c', sums, 'sh', `${path}/common`], long);
  figures.push(`10,000 files and 2 GiB: written by n2 in ${Math.round((written - begun) / 1000)} s, read by n3 in ${Math.round((Date.now() - written) / 1000)} s`);
  expect((await inNode('n3', ['sh', '-c', 'ls "$1" | wc -l; stat -c %s "$1/../big"', 'sh', `${path}/common/small`])).trim().split('\n')).toEqual(['10000', String(2 ** 31)]); // prettier-ignore
  expect(seen).toBe(await inNode('n2', ['sh', '-c', sums, 'sh', `${path}/common`], long));
  await inNode('n2', ['rm', '-rf', `${path}/common/small`, `${path}/common/big`], long);
}, long); // prettier-ignore

const lab =
  (verb: string, ...who: string[]): (() => Promise<void>) =>
  () =>
    world.lab.act(verb, who[0] ?? '', who.slice(1));
const kill = (which: (pids: string[]) => string[]) => async (): Promise<void> => {
  await inNode('n2', ['kill', '-9', ...which(await mountPids())]);
};
/** @property says what `storage status` must name while it lasts: of harms that last long enough to be asked about */
const faults: { what: string; harm: () => Promise<unknown>; says?: RegExp }[] = [
  { what: 'the worker of a mount is killed', harm: kill((pids) => pids.slice(-1)) },
  { what: 'the supervisor of a mount is killed', harm: kill((pids) => pids.slice(0, 1)) },
  { what: 'both are killed', harm: kill((pids) => pids) },
  { what: 'the metadata are restarted', harm: () => unit('n1', 'restart', 'strata-metadata.service') },
  {
    what: 'the objects are away for 60 s',
    says: /objects\..*does not answer/,
    harm: async () => {
      await unit('n1', 'stop', objectsUnit);
      await sleep(60_000);
      await unit('n1', 'start', objectsUnit);
    },
  },
  {
    what: "the disk of a node's cache is full for 60 s",
    says: /the disk of .* has 0 % free/,
    harm: async () => {
      // again and again: JuiceFS gives up its cache for a disk with little room, which makes 500 MiB of it
      for (const end = Date.now() + 60_000; Date.now() < end; await sleep(2_000)) await world.lab.act('full', 'n2');
      await world.lab.act('full', 'n2', ['--undo']);
    },
  },
  ...nodes.map((node) => ({ what: `${node} crashes`, harm: lab('crash', node) })),
  ...nodes.map((node) => ({ what: `${node} loses power`, harm: lab('powercut', node) })),
  { what: 'all lose power at once', harm: lab('powercut', ...nodes) },
];
/** Asks for the status until it names this; all that it said and when, should it never. */
async function named(words: RegExp): Promise<string> {
  const said: string[] = [];
  const begun = Date.now();
  const seen = async (): Promise<string | null> => {
    const ran = await world.server.strata(['storage', 'status'], { timeoutMs: 60_000 });
    said.push(`after ${Math.round((Date.now() - begun) / 1000)} s, exit status ${ran.code}:\n${ran.stdout}${ran.stderr}`);
    return ran.code === 1 && words.test(ran.stdout) ? 'named' : null;
  };
  return until(`the status to say ${words.source}`, 85_000, seen).catch(() => said.join('\n'));
}
test.each(faults.map((f, i) => [f.what, f, i] as const))('%s: nothing that was flushed is lost, and all write on', async (what, { harm, says }, i) => {
  const dir = `${path}/common/fault-${i}`;
  const loads = await Promise.all(nodes.map((node) => WriteLoad.start(world.lab, { node, dir })));
  try {
    const before = Date.now();
    const [saw] = await Promise.all([says ? named(says) : 'named', harm()]);
    expect(saw).toBe('named');
    const harmed = Date.now();
    await Promise.all(loads.map((load) => load.more(30, 240_000)));
    figures.push(`${what}: ${Math.round((harmed - before) / 1000)} s, then ${Math.round((Date.now() - harmed) / 1000)} s until each node had written 30 files more`);
  } finally {
    await Promise.all(loads.map((load) => load.stop()));
  }
  const wrong: string[] = [];
  for (const [k, load] of loads.entries()) for (const reader of [nodes[(k + 1) % 3], nodes[(k + 2) % 3], nodes[k]]) wrong.push(...(await load.wrongFrom(reader ?? '')).map((w) => `${reader}: ${w}`)); // prettier-ignore
  expect(wrong).toEqual([]);
}, long); // prettier-ignore

test('the cluster is whole again, without a command', async () => {
  await until('all nodes to be Ready', 180_000, async () => Object.values(await ready(world).catch(() => ({ server: false }))).every(Boolean));
  const ran = await world.server.strata(['storage', 'verify'], { timeoutMs: long });
  expect([ran.code, ran.code === 0 ? '' : ran.stdout + ran.stderr]).toEqual([0, '']);
}, long); // prettier-ignore
