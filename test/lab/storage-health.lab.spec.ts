import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { StorageStatus } from '@strata/model';
import { ready } from './support/cluster';
import { until } from './support/program';
import { withShared } from './support/shared-spec';
import { World } from './support/world';

/** How the storage is: a mount that hangs is told of in Kubernetes and comes back by itself; `storage status` says what is wrong, and ends with 1. */
const long = 20 * 60_000;
const path = '/strata/rootfs';
const nodes = ['n1', 'n2'];
let world: World;

beforeAll(async () => {
  world = await World.make({ nodes: 2, base: 'ready', diskSize: '24G' });
  const spec = await world.specFile({ bundles: ['demo'] }, (text) => withShared(text, { metadata: { maxMemoryMiB: 64 } }));
  const ran = await world.server.strata(['apply', '-f', spec, '--yes'], { timeoutMs: long });
  expect([ran.code, ran.code === 0 ? '' : ran.stdout.slice(-3_000) + ran.stderr]).toEqual([0, '']);
  expect(await ready(world)).toEqual({ n1: true, n2: true });
}, long);
afterAll(() => world?.dispose(), 300_000);

const inNode = (node: string, argv: readonly string[], timeoutMs = 60_000): Promise<string> => world.lab.must(node, argv, { timeoutMs });
async function status(): Promise<[number, StorageStatus]> {
  const ran = await world.server.strata(['storage', 'status', '-o', 'json'], { timeoutMs: 90_000 });
  if (!ran.stdout.startsWith('{')) throw new Error(`no status: ${ran.stdout}${ran.stderr}`);
  return [ran.code, JSON.parse(ran.stdout) as StorageStatus];
}
/** What Kubernetes holds of n2's storage. */
async function marks(): Promise<{ condition: string | null; tainted: boolean }> {
  const node = JSON.parse(await world.server.kubectl(world.cluster, ['get', 'node', 'n2', '-o', 'json'])) as {
    spec: { taints?: { key: string }[] };
    status: { conditions: { type: string; status: string; reason: string }[] };
  };
  const is = node.status.conditions.find((c) => c.type === 'StrataStorage');
  return { condition: is ? `${is.status} ${is.reason}` : null, tainted: (node.spec.taints ?? []).some((t) => t.key === 'strata.local/storage-unavailable') };
}

test('status: every node has its mount, with its latency; metadata, objects and disks are told of; the exit status is 0', async () => {
  const [code, s] = await until('the agents to have seen their mounts', 60_000, async () => {
    const now = await status();
    return now[1].nodes.every((n) => n.mount !== null) ? now : null;
  });
  expect([code, s.problems]).toEqual([0, []]);
  for (const n of s.nodes) {
    expect(n).toMatchObject({ missing: null, mount: { state: 'ok', path }, objects: { answers: true }, cache: { limit: 200 * 2 ** 20, staging: 0 } });
    expect(n.mount?.latencyMs).toBeGreaterThan(0);
    expect(n.disks[0]?.free).toBeGreaterThan(0);
    expect(n.used).toBeGreaterThanOrEqual(0);
  }
  const metadata = s.nodes.find((n) => n.name === 'n1')?.metadata;
  expect(metadata).toMatchObject({ limit: 64 * 2 ** 20, sessions: nodes.length });
  expect(metadata?.used).toBeGreaterThan(500_000);
  expect(metadata?.clients).toBeGreaterThanOrEqual(nodes.length);
  expect((await world.server.must(['storage', 'status'])).trimEnd()).toMatch(/nothing is wrong$/);
}, long); // prettier-ignore

test('a mount that hangs: the agent answers, Kubernetes and the status name it with its pod, and it is back without a command', async () => {
  const file = join(world.server.dir, 'user', 'pod.json');
  const container = { name: 'main', image: 'strata.local/web:1', imagePullPolicy: 'IfNotPresent', command: ['sleep', '3600'], volumeMounts: [{ name: 'shared', mountPath: '/shared', mountPropagation: 'HostToContainer' }] };
  const spec = { nodeName: 'n2', terminationGracePeriodSeconds: 1, containers: [container], volumes: [{ name: 'shared', hostPath: { path: '/strata', type: 'Directory' } }] };
  writeFileSync(file, JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'uses-it', namespace: 'default' }, spec }));
  await world.server.kubectl(world.cluster, ['apply', '-f', file]);
  await until('the pod to run', 120_000, async () => (await world.server.kubectl(world.cluster, ['get', 'pod', 'uses-it', '-o', 'jsonpath={.status.phase}'])) === 'Running' || null);
  expect(await marks()).toEqual({ condition: null, tainted: false });
  const pids = (await inNode('n2', ['pgrep', '-f', 'juicefs mount'])).trim().split('\n');
  await inNode('n2', ['kill', '-STOP', ...pids]);
  const seen = until('the condition and the taint', 60_000, async () => {
    const now = await marks();
    return now.condition !== null && now.tainted ? now : null;
  });
  const told = until('the status to name the node and its pod', 60_000, async () => {
    const [code, s] = await status();
    const problem = s.problems.find((p) => p.node === 'n2');
    return code === 1 && problem?.words.includes('default/uses-it') === true ? s.nodes.find((n) => n.name === 'n2') : null;
  });
  expect(await seen).toEqual({ condition: 'False MountHangs', tainted: true });
  expect(await told).toMatchObject({ missing: null }); // its agent has a session, and answered
  await until('the mount to be back', 120_000, async () => ((await world.lab.exec('n2', ['stat', `${path}/common`], { timeoutMs: 10_000 })).code === 0 ? true : null));
  await until('condition and taint to be taken back', 60_000, async () => ((await marks()).tainted || (await marks()).condition !== null ? null : true));
  expect((await inNode('n2', ['journalctl', '--no-pager', '-u', 'stratad'])).match(/its connection is ended and strata-juicefs\.service restarted/g)).toHaveLength(1);
  await until('the status to be well', 60_000, async () => ((await status())[0] === 0 ? true : null));
  expect(await world.server.kubectl(world.cluster, ['exec', 'uses-it', '--', 'ls', '/shared/rootfs'])).toMatch(/common/);
}, long); // prettier-ignore

test('storage verify proves locks and the bucket as well, and tells the latency of each pair', async () => {
  const ran = await world.server.strata(['storage', 'verify'], { timeoutMs: long });
  expect([ran.code, ran.code === 0 ? '' : ran.stdout + ran.stderr]).toEqual([0, '']);
  for (const pair of ['n1 to n2', 'n2 to n1']) expect(ran.stdout).toMatch(new RegExp(`${pair}: \\d+ ms \\(written and flushed in \\d+, read in \\d+\\); its lock is seen`));
  const locked = async (): Promise<number> => (await world.lab.exec('n2', ['flock', '-n', '-E', '75', `${path}/.strata/view/n1.lock`, 'true'], { timeoutMs: 20_000 })).code;
  expect(await locked()).toBe(75);
  await inNode('n1', ['systemctl', 'stop', 'strata-view-lock.service']);
  expect(await locked()).toBe(0);
}, long); // prettier-ignore

const objects = 'strata-objects-gate.socket strata-objects-gate.service';
const redis = `. /etc/strata/storage/juicefs/env; export REDISCLI_AUTH=$META_PASSWORD; r() { redis-cli --no-auth-warning --tls --cacert /etc/strata/storage/metadata/ca.pem -h 127.0.0.1 -p 6390 --user node.n1 -n 9 "$@"; }`;
const harms = [
  { what: 'the metadata fill their memory', harm: `${redis}; for i in $(seq 46); do head -c 1000000 /dev/zero | tr '\\0' x | r -x SET f$i | grep -qx OK || exit 1; done`, mend: `${redis}; r DEL $(seq -f f%g 46)`, says: { n1: /the metadata has used 7\d % of its memory \(\d+ MiB of 64 MiB\)/ } },
  { what: 'the objects do not answer', harm: `systemctl stop ${objects}`, mend: `systemctl start ${objects.split(' ')[0]}`, says: { n1: /objects\..*does not answer/, n2: /objects\..*does not answer/ } },
  { what: 'the mount was stopped', harm: 'systemctl stop strata-juicefs && sleep 6', mend: 'systemctl start strata-juicefs && sleep 6', says: { n1: /strata-juicefs\.service is stopped/ } },
  { what: 'a disk is nearly full', harm: `fallocate -l $(df -B1 --output=avail / | awk 'END { printf "%.0f", $1 - 1000000000 }') /var/filler`, mend: 'rm /var/filler', says: { n1: /the disk of \/var\/cache\/strata\/juicefs has \d % free/ } },
]; // prettier-ignore
test.each(harms)('status ends with 1 when $what, names each node, and is well when that is over', async ({ harm, mend, says }) => {
  await inNode('n1', ['sh', '-c', harm], 120_000);
  const [code, s] = await status();
  await inNode('n1', ['sh', '-c', mend], 120_000);
  expect(code).toBe(1);
  for (const [name, words] of Object.entries(says as Record<string, RegExp>)) expect(s.problems.filter((p) => p.node === name).map((p) => p.words)).toContainEqual(expect.stringMatching(words));
  expect([...new Set(s.problems.map((p) => p.node))].sort()).toEqual(Object.keys(says));
  await until('the status to be well', 60_000, async () => ((await status())[0] === 0 ? true : null));
}, long); // prettier-ignore
