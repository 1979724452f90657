import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { newRun, ready, runs } from './support/cluster';
import { RunWatch } from './support/run-watch';
import { withShared } from './support/shared-spec';
import { type Struck, Strikes, strikeWords, type Victim } from './support/strikes';
import { World } from './support/world';

/** The tree of a node becomes the shared one of all while the cluster runs; taken back, and done again for good. */
const all = process.env.STRATA_FAULTS === 'all';
const long = (all ? 90 : 20) * 60_000; // a busy machine of two cores takes 20 small files a second
const nodes = ['n1', 'n2'];
const path = '/strata/rootfs';
const files = all ? 20_000 : 2_000;
let world: World;
let local: string;
let shared: string;

beforeAll(async () => {
  world = await World.make({ nodes: 2, base: 'ready' });
  local = await world.specFile({ bundles: ['demo'] });
  await world.server.must(['apply', '-f', local, '--yes'], { timeoutMs: long });
  shared = join(world.server.dir, 'user', 'shared.yaml');
  writeFileSync(shared, withShared(await world.lab.spec({ bundles: ['demo'] })), { mode: 0o600 });
}, long);
afterAll(() => world?.dispose(), 300_000);

const inNode = (node: string, argv: readonly string[], timeoutMs = 120_000): Promise<string> => world.lab.must(node, argv, { timeoutMs });
const kubectl = (...args: string[]): Promise<string> => world.server.kubectl(world.cluster, args);
const type = (node: string): Promise<string> => inNode(node, ['findmnt', '-n', '-o', 'FSTYPE', path]).then((t) => t.trim(), () => ''); // prettier-ignore
async function succeeds(...args: string[]): Promise<void> {
  const ran = await world.server.strata(args, { timeoutMs: long });
  expect([ran.code, ran.code === 0 ? '' : ran.stdout.slice(-3_000) + ran.stderr]).toEqual([0, '']);
}

/** All that a tree can hold: many files, hard links, a link to nowhere, a hole, odd names, other owners, attributes and ACLs. */
const seed = `
set -e; mkdir -p ${path}/common/t && cd ${path}/common/t
perl -e 'for (1..${files}) { my $d = "d" . ($_ % 40); mkdir $d; open(my $f, ">", "$d/f$_") or die; print $f "file $_\\n" x (1 + $_ % 60); close $f }'
ln d1/f1 hard; ln d1/f1 d2/hard; ln -s nowhere dangling; truncate -s 64M hole; printf end >> hole
printf x > 'odd  name
with a line, "quotes" and \\ ü'; printf x > -dash; mkfifo pipe; chown 1234:4321 d3; chmod 2750 d3; chmod 4755 d4/f4
setfattr -n user.colour -v blue d5/f5; setfacl -m u:1234:rw d6/f6; touch -d 2001-02-03 d7/f7`;
/** A line for each thing in a tree, by nobody of Strata's: what it is, its numbers, its content, attributes and ACLs. */
const witness = `
cd "$1"/common/t || exit 1
find . -printf '%P|%y|%m|%U:%G|%T@|%l|' \\( -type f -printf '%s %n' -o -printf - \\) -printf '\\0' | sort -z | tr '\\0' '\\n'
find . -type f -print0 | sort -z | xargs -0 sha256sum; find . -print0 | sort -z | xargs -0 getfattr -h -d -m '^user' --absolute-names -- ; find . ! -type l -print0 | sort -z | xargs -0 getfacl -n --`;
const witnessed = async (node: string, of = path): Promise<string> =>
  (await inNode(node, ['sh', '-c', `{ ${witness}\n} | sha256sum`, 'sh', of], all ? 1_200_000 : 300_000)).trim();

const writer = {
  apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'writer', namespace: 'default' },
  spec: {
    replicas: 2, selector: { matchLabels: { app: 'writer' } },
    template: {
      metadata: { labels: { app: 'writer' } },
      spec: {
        terminationGracePeriodSeconds: 1,
        containers: [{ name: 'main', image: 'strata.local/web:1', imagePullPolicy: 'IfNotPresent', command: ['sh', '-c', 'while :; do date >> /shared/log-$HOSTNAME; sleep 0.2; done'], volumeMounts: [{ name: 'shared', mountPath: '/shared' }] }],
        volumes: [{ name: 'shared', hostPath: { path: `${path}/common`, type: 'Directory' } }],
      },
    },
  },
}; // prettier-ignore
let before: string;

test('an apply that changes the kind is refused, with the way to do it', async () => {
  for (const node of nodes) await inNode(node, ['sh', '-c', 'apt-get update -q >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -y -q acl attr >/dev/null'], 300_000);
  await inNode('n1', ['sh', '-c', seed], 300_000);
  const file = join(world.server.dir, 'user', 'writer.json');
  writeFileSync(file, JSON.stringify(writer));
  await kubectl('apply', '-f', file);
  await kubectl('rollout', 'status', 'deployment/writer', '--timeout=120s');
  before = await witnessed('n1');
  const ran = await world.server.strata(['apply', '-f', shared, '--yes'], { timeoutMs: long });
  expect([ran.code === 0, ran.stdout + ran.stderr]).toEqual([false, expect.stringMatching(/strata storage migrate/)]);
}, long); // prettier-ignore

/** Begins a run by a command, kills at the start of each of its steps, and sees it end well. Gives what each step met. */
async function struck(choose: (nth: number) => Victim, ...args: string[]): Promise<Struck[]> {
  const known = (await runs(world)).map((r) => r.id);
  await succeeds(...args, '--yes', '--detach');
  const watch = new RunWatch(world, (await newRun(world, known)).id);
  const strikes = new Strikes(world, watch, choose);
  await Promise.all([watch.hearAll(), strikes.all()]);
  const table = strikes.table();
  process.stdout.write(`\n    ${args.slice(0, 2).join(' ')}\n${strikeWords(table)}\n`);
  const failed = watch.events
    .filter((e) => e.kind === 'OrderSettled' && e.body.outcome === 'failed')
    .map((e) => [e.step, (e.body.result as { failure?: unknown } | undefined)?.failure]);
  if (watch.events.findLast((e) => e.kind === 'RunEnded')?.body.result !== 'done')
    throw new Error(`it ended otherwise than done:\n${JSON.stringify(failed, null, 1)}`);
  expect(table.filter((s) => s.by === null).map((s) => s.step)).toEqual([]); // each was met at its start
  return table;
}
/** Steps of a migration that are long enough for every kill: they must have been met while they were under way. */
const slow = [
  'n1/migration.look', 'n1/packages.install', 'n1/metadata.redis', 'n1/objects.seaweedfs', 'n1/storage.format', 'n1/juicefs.side-mount', 'n2/juicefs.side-mount',
  'n1/tree.copy@first', 'n1/tree.copy@second', 'cluster/tree.freeze', 'n1/tree.copy@last', 'n1/juicefs.mount', 'n2/juicefs.mount', 'n1/view.write', 'n1/tree.compare',
]; // prettier-ignore
const missed = (table: readonly Struck[], steps: readonly string[] = slow): string[] =>
  steps.filter((step) => table.find((s) => s.step === step)?.inFlight === 0);

test('agents killed at each step: the tree of n1 is the shared one, equal in everything, and the workload runs on', async () => {
  expect(missed(await struck(() => 'agent', 'storage', 'migrate', '--from', 'n1', '-f', shared))).toEqual([]);
  for (const node of nodes) expect([node, await type(node), await witnessed(node)]).toEqual([node, 'fuse.juicefs', before]);
  expect(await witnessed('n1', `${path}.before-migration`)).toBe(before);
  expect(await ready(world)).toEqual({ n1: true, n2: true });
  await kubectl('rollout', 'status', 'deployment/writer', '--timeout=120s');
  await succeeds('plan', '-f', shared, '--detailed-exitcode');
  const back = await world.server.strata(['apply', '-f', local, '--yes'], { timeoutMs: long });
  expect([back.code === 0, back.stdout + back.stderr]).toEqual([false, expect.stringMatching(/strata storage rollback/)]);
}, long); // prettier-ignore

test('taken back under kills of both, the old tree has what changed since, and the machines are as they were', async () => {
  await inNode('n2', ['sh', '-c', `cd ${path}/common/t && echo changed > after && rm d8/f8 && mv d9 d9-moved`]);
  // as JuiceFS does at its root when it dumps its metadata, hourly: no other file system takes that name
  await inNode('n2', ['setfattr', '-n', 'lastBackup', '-v', new Date().toISOString(), path]);
  const changed = await witnessed('n2');
  await struck((nth) => (nth % 2 === 0 ? 'agent' : 'server'), 'storage', 'rollback');
  for (const node of nodes) expect([node, await type(node)]).toEqual([node, '']);
  expect(await witnessed('n1')).toBe(changed);
  await kubectl('rollout', 'status', 'deployment/writer', '--timeout=120s');
  await succeeds('plan', '-f', local, '--detailed-exitcode');
}, long); // prettier-ignore

test('the server killed at each step: migrated again, equal; commit deletes the old trees', async () => {
  before = await witnessed('n1');
  const again = slow.filter((step) => step !== 'n1/packages.install'); // its packages are in the cache of the machine by now: it can be over before the server is
  expect(missed(await struck(() => 'server', 'storage', 'migrate', '--from', 'n1', '-f', shared), again)).toEqual([]);
  for (const node of nodes) expect([node, await type(node), await witnessed(node)]).toEqual([node, 'fuse.juicefs', before]);
  await struck((nth) => (nth % 2 === 0 ? 'server' : 'agent'), 'storage', 'commit');
  for (const node of nodes) expect((await world.lab.exec(node, ['test', '-e', `${path}.before-migration`])).code).toBe(1);
  await succeeds('plan', '-f', shared, '--detailed-exitcode');
}, long); // prettier-ignore
