import { setTimeout as sleep } from 'node:timers/promises';
import { readFileSync, writeFileSync } from 'node:fs';
import { everyAgentConnected, newestRun, newRun, runs } from './support/cluster';
import { until } from './support/program';
import { RunWatch } from './support/run-watch';
import { withShared } from './support/shared-spec';
import { World } from './support/world';
import { WriteLoad } from './support/write-load';

/**
 * Metadata with a replica: the planned switch loses nothing; the primary that is lost while the replica lags behind is taken over from by a fenced run, and
 * what comes back of it is let nobody into. Two nodes write all the time, checked outside of Strata.
 */
const long = 15 * 60_000;
const nodes = ['n1', 'n2', 'n3'];
const path = '/strata/rootfs';
const own = 6390;
let world: World;
let spec: string;

const inNode = (node: string, argv: readonly string[], timeoutMs = 60_000): Promise<string> => world.lab.must(node, argv, { timeoutMs });
const sh = (node: string, script: string, timeoutMs = 60_000): Promise<string> => inNode(node, ['sh', '-c', script], timeoutMs);
/** The metadata of a machine, asked there as their administrator. */
const redis = (node: string, ...commands: string[]): Promise<string> =>
  sh(node, `. /etc/strata/storage/metadata/admin; export REDISCLI_AUTH; printf '${commands.join('\\n')}\\n' | timeout 20 redis-cli --no-auth-warning --tls --cacert /etc/strata/storage/metadata/ca.pem -h 127.0.0.1 -p ${own} --user strata-admin`); // prettier-ignore
const info = async (node: string, field: string): Promise<string> =>
  new RegExp(`^${field}:(.*?)\\s*$`, 'm').exec(await redis(node, 'INFO replication'))?.[1] ?? '';
const bound = async (node: string): Promise<string[]> =>
  (await sh(node, 'ss -Hlnt')).split('\n').map((l) => l.trim().split(/\s+/)[3] ?? '').filter((at) => at.endsWith(`:${own}`)).sort(); // prettier-ignore
const address = (node: string): string => world.lab.node(node).address;
const open = (node: string): string[] => [`127.0.0.1:${own}`, `${address(node)}:${own}`].sort();
const metadata = async (): Promise<Record<string, unknown>> => {
  const cluster = await world.server.api.must<{ spec: { spec: { storage: { metadata: Record<string, unknown> } } } }>('GET', `/v1/clusters/${world.cluster}`);
  return cluster.spec.spec.storage.metadata;
};
/** The longest time between two files that a writer was answered, as the writers' own files tell it. */
async function longestPause(load: WriteLoad, dir: string, node: string): Promise<number> {
  const times = (await sh(node, `cd ${path}/common/${dir} && find . -name '${node}-*' -printf '%T@\\n' | sort -n`)).trim().split('\n').map(Number);
  expect(times.length).toBeGreaterThanOrEqual(load.acknowledged.length);
  return Math.max(...times.slice(1).map((t, i) => t - (times[i] ?? t)));
}
async function strata(args: readonly string[]): Promise<string> {
  const ran = await world.server.strata(args, { timeoutMs: long });
  expect([args.join(' '), ran.code, ran.code === 0 ? '' : ran.stdout.slice(-4_000) + ran.stderr]).toEqual([args.join(' '), 0, '']);
  return ran.stdout;
}
/** The file says what the cluster's own spec says since the metadata changed machines. */
function exchangeInSpec(): void {
  const other = (node: string): string => (node === 'n2' ? 'n3' : 'n2');
  writeFileSync(spec, readFileSync(spec, 'utf8').replace(/node: (n[23])([^]*?)replica: n[23]/, (_, node: string, between: string) => `node: ${other(node)}${between}replica: ${node}`)); // prettier-ignore
}
/** Writes need the other copy, and have it. */
const inStep = (primary: string, replica: string): Promise<unknown> =>
  until(`${primary} to write only with ${replica}`, 60_000, async () => {
    const is = [
      await info(primary, 'role'),
      await info(primary, 'min_slaves_good_slaves'),
      await info(replica, 'role'),
      await info(replica, 'master_link_status'),
    ];
    const need = await redis(primary, 'CONFIG GET min-replicas-to-write', 'GET strata-paired');
    return is.join() === 'master,1,slave,up' && need.includes(`min-replicas-to-write\n1\n${address(replica)}`) ? true : null;
  });
/** What the status comes to say: an agent may be away for a moment on a busy machine. */
const says = (code: number, words: RegExp): Promise<unknown> => {
  return until(`storage status to end with ${code} and ${words.source}`, 90_000, async () => {
    const ran = await world.server.strata(['storage', 'status'], { timeoutMs: 60_000 });
    return (ran.code === code && words.test(ran.stdout)) || null;
  });
};
const begun: WriteLoad[] = [];
const loads = (writers: readonly string[], dir: string): Promise<WriteLoad[]> =>
  Promise.all(
    writers.map(async (node) => {
      const load = await WriteLoad.start(world.lab, { node, dir: `${path}/common/${dir}` });
      begun.push(load);
      return load;
    }),
  );
/** What is not as it was acknowledged, as each of these nodes sees it. */
async function wrong(writers: readonly WriteLoad[], readers: readonly string[]): Promise<{ lost: Set<string>; foreign: string[] }> {
  const all: string[] = [];
  for (const load of writers) for (const reader of readers) all.push(...(await load.wrongFrom(reader)));
  return { lost: new Set(all.filter((w) => w.endsWith('is lost'))), foreign: all.filter((w) => !w.endsWith('is lost')) };
}

beforeAll(async () => {
  world = await World.make({ nodes: 3, base: 'ready' });
  spec = await world.specFile({}, (text) => withShared(text, { metadata: { node: 'n2', replica: 'n3' }, objects: { kind: 'seaweedfs', node: 'n1' } }));
  await strata(['apply', '-f', spec, '--yes']);
}, long);
afterAll(async () => {
  for (const load of begun) await load.stop();
  await world?.dispose();
}, 300_000);

test('a write is answered only when the replica may have it, and without the replica none is', async () => {
  await inStep('n2', 'n3');
  expect([await bound('n2'), await bound('n3')]).toEqual([open('n2'), open('n3')]);
  await says(0, /metadata on n2:[^]*replica on n3: it follows/);
  await inNode('n3', ['systemctl', 'stop', 'strata-metadata']);
  expect(await redis('n2', 'SET x 1')).toMatch(/NOREPLICAS/);
  await says(1, /n2: the metadata answer no write: their replica on n3 does not follow/);
  // nor is it known after a start whether it was taken over
  await inNode('n2', ['systemctl', 'restart', 'strata-metadata']);
  expect(await bound('n2')).toEqual([`127.0.0.1:${own}`]);
  await inNode('n3', ['systemctl', 'start', 'strata-metadata']);
  await until('n2 to let the nodes in', 60_000, async () => ((await bound('n2')).length === 2 ? true : null));
  await inStep('n2', 'n3');
}, long); // prettier-ignore

test('a drill under writes: the replica is the primary, nothing is lost, and an old file does not take it back', async () => {
  const writers = await loads(['n1', 'n3'], 'drill');
  const since = Date.now();
  const said = await strata(['storage', 'drill', '--yes']);
  const took = Date.now() - since;
  expect(said).toMatch(/nothing was lost: this machine has what the other one had when writes stopped \(\d+ files and folders in \d+ keys; next slice \d+, inode \d+, session \d+\)/);
  expect((await newestRun(world)).result).toBe('done');
  for (const load of writers) await load.more(30, 60_000);
  for (const load of writers) await load.stop();
  expect(await wrong(writers, nodes)).toEqual({ lost: new Set(), foreign: [] });
  await inStep('n3', 'n2');
  expect(await metadata()).toMatchObject({ node: 'n3', replica: 'n2' });
  const pauses = await Promise.all(writers.map((w, i) => longestPause(w, 'drill', ['n1', 'n3'][i] ?? '')));
  console.log(`drill: ${took} ms, longest pause ${pauses.map((s) => s.toFixed(1)).join(' and ')} s, ${writers.map((w) => w.acknowledged.length).join(' and ')} files acknowledged, refusals: ${writers.map((w) => w.errors.split('\n').length - 1).join(' and ')}`);

  const old = await world.server.strata(['apply', '-f', spec, '--yes'], { timeoutMs: long });
  expect([old.code, old.stdout + old.stderr]).toEqual([expect.any(Number), expect.stringMatching(/the metadata of \S+ are on n3, and the spec asks for n2[^]*node: n3, replica: n2/)]);
  expect(old.code).not.toBe(0);
  exchangeInSpec();
  await everyAgentConnected(world);
  const again = await world.server.strata(['plan', '-f', spec, '--detailed-exitcode'], { timeoutMs: long });
  expect([again.code, again.code === 0 ? '' : again.stdout]).toEqual([0, '']);
}, long); // prettier-ignore

test('the primary dies while its replica lags behind: a fenced run, no file has others\' bytes, the loss is said; what comes back is the replica', async () => {
  const refused = await world.server.strata(['storage', 'failover', '--yes'], { timeoutMs: long });
  expect([refused.code, refused.stdout + refused.stderr]).toEqual([expect.any(Number), expect.stringMatching(/the metadata on \S+ answer, and are the primary[^]*strata storage drill/)]);
  await inStep('n3', 'n2');

  const writers = await loads(['n1', 'n2'], 'failover');
  const held = writers.map((w) => w.acknowledged.length);
  // what the primary sends to its replica is held back from here on; nothing else of n2 is
  const port = /:(\d+)\s+\S+:6390\s/.exec(await sh('n2', `ss -Hntp state established dst ${address('n3')}:${own} | grep redis`))?.[1];
  await sh('n2', `nft add table inet lag && nft 'add chain inet lag in { type filter hook input priority -10; }' && nft add rule inet lag in ip saddr ${address('n3')} tcp dport ${port} drop`);
  await sleep(6_000); // less than the primary writes on without hearing of its replica
  await world.lab.act('crash', 'n3', ['--stay-off']);
  const late = writers.map((w, i) => w.acknowledged.length - (held[i] ?? 0));
  await sh('n2', 'nft delete table inet lag');
  expect(Math.min(...late)).toBeGreaterThan(0);
  await says(1, /n3: its agent has no session/);

  const since = Date.now();
  const ran = await world.server.strata(['storage', 'failover', '--yes'], { timeoutMs: long });
  const took = Date.now() - since;
  expect([ran.code, ran.stdout.slice(-4_000) + ran.stderr]).toEqual([4, expect.stringMatching(/the metadata are those of the replica \(taken over by the replica on this machine from \S+; it was in step at \S+Z, and it heard of it last \d+ s before\)[^]*What was written after that point is lost/)]);
  expect(await metadata()).toMatchObject({ node: 'n2', replica: 'n3' });
  for (const load of writers) await load.more(30, 60_000);
  for (const load of writers) await load.stop();
  const { lost, foreign } = await wrong(writers, ['n1', 'n2']);
  expect(foreign).toEqual([]);
  const all = writers.reduce((sum, w) => sum + w.acknowledged.length, 0);
  console.log(`failover: ${took} ms; ${all} files acknowledged, ${late.join(' and ')} of them while the replica lagged, ${lost.size} lost`);
  expect(lost.size).toBeGreaterThan(0);
  expect(lost.size).toBeLessThanOrEqual(late.reduce((a, b) => a + b, 0));

  await world.lab.act('on', 'n3');
  await until('the old primary to be closed', 90_000, async () => ((await sh('n3', 'cat /var/lib/strata-metadata-mark/closed 2>/dev/null || true')).includes('are in use') ? true : null));
  expect(await bound('n3')).toEqual([`127.0.0.1:${own}`]);
  expect((await world.lab.exec('n3', ['mountpoint', '-q', path])).code).not.toBe(0);
  exchangeInSpec();
  await strata(['apply', '-f', spec, '--yes']);
  await inStep('n2', 'n3');
  expect(await sh('n3', 'ls /var/lib/private/strata-metadata')).toMatch(/appendonlydir\.before-replica/);
  const seen = await wrong(writers, nodes);
  expect([seen.foreign, [...seen.lost].sort()]).toEqual([[], [...lost].sort()]);
  expect(await strata(['storage', 'verify'])).toMatch(/done/);
}, long); // prettier-ignore
test('metadata that stop on a machine that is there: it follows by the end of the same run', async () => {
  const writers = await loads(['n1'], 'stopped');
  await inNode('n2', ['systemctl', 'stop', 'strata-metadata']);
  const said = await strata(['storage', 'failover', '--yes']);
  expect(said).toMatch(/taken over by the replica on this machine from/);
  expect((await newestRun(world)).result).toBe('done');
  for (const load of writers) await load.more(20, 60_000);
  for (const load of writers) await load.stop();
  expect(await wrong(writers, nodes)).toEqual({ lost: new Set(), foreign: [] }); // it stopped in order: its replica had all
  await inStep('n3', 'n2');
  expect(await metadata()).toMatchObject({ node: 'n3', replica: 'n2' });
}, long); // prettier-ignore

test('a drill whose agents and server are killed goes on to its end, and loses nothing', async () => {
  const writers = await loads(['n1', 'n2'], 'killed');
  const known = (await runs(world)).map((r) => r.id);
  await world.server.must(['storage', 'drill', '--yes', '--detach'], { timeoutMs: long });
  const watch = new RunWatch(world, (await newRun(world, known)).id);
  const heard = watch.hearAll();
  await Promise.all([watch.killAtStart('n3/metadata.handover'), watch.killAtStart('n2/metadata.lead'), watch.begins('n3/metadata.release').then(() => world.server.kill('server'))]);
  await heard;
  expect((await newestRun(world)).result).toBe('done');
  for (const load of writers) await load.more(20, 60_000);
  for (const load of writers) await load.stop();
  expect(await wrong(writers, nodes)).toEqual({ lost: new Set(), foreign: [] });
  await inStep('n2', 'n3');
  expect(await metadata()).toMatchObject({ node: 'n2', replica: 'n3' });
}, long); // prettier-ignore
