import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Heard, LedgerEvent } from './support/api';
import { answersIn, newestRun, newRun, outcomes, planned, ready, runs, webPods } from './support/cluster';
import type { Ran } from './support/program';
import { differences, type Snapshot, snapshot } from './support/snapshot';
import { World } from './support/world';

/** What an install has to change on each machine that has nothing. Whoever adds a native task adds it here if a bare machine needs it. */
const changedOnBare = [
  'agent.install',
  'hosts.block',
  'kernel.sysctl',
  'limits.configure',
  'journald.configure',
  'packages.install',
  'upgrades.hold',
  'localfs.layout',
  'artifacts.fetch@runtime',
  'runc.install',
  'cni.install',
  'containerd.install',
  'artifacts.fetch@pods',
  'images.import@pods',
];
/**
 * In the list of every install, but with nothing to do here: this kernel has the features without modules, chrony keeps the clock from the moment that
 * packages.install brings it, and there is no swap, no key in the spec, no firewall.
 */
const satisfiedOnBare = ['kernel.modules', 'outside.configure', 'ntp.configure', 'swap.policy', 'sshd.configure', 'firewall.open'];
const notOnBare = [
  'curl',
  'sudo',
  'nft',
  'conntrack',
  'socat',
  'gcc',
  'chronyd',
  'ifconfig',
  'ethtool',
  'iptables',
  'containerd',
  'runc',
  'kubelet',
  'python3',
  'node',
];
const notInstalledOnBare = ['ca-certificates', 'chrony', 'conntrack', 'curl', 'gcc', 'net-tools', 'nftables', 'socat', 'sudo', 'wget']; // prettier-ignore

const long = 20 * 60_000;
const three = ['n1', 'n2', 'n3'];
let world: World;
let spec: string;
const before = new Map<string, Snapshot>();
let applied: Ran;
let watched: Ran;
let pieces: Heard[];
let runId: string;
let events: LedgerEvent[];
const second = (): { user: string; env: Record<string, string> } => ({
  user: 'second',
  env: {
    STRATA_SERVER: world.server.url,
    STRATA_TOKEN_FILE: join(world.server.home, 'secrets/admin.token'),
    STRATA_CA_FILE: join(world.server.home, 'secrets/ca.pem'),
  },
});
const lines = (text: string): string[] => text.split('\n').filter(Boolean);
const eventsOf = (id: string): Promise<LedgerEvent[]> => world.server.api.eventsOf(id);

/** An SSE client whose connection is cut after every few messages, and which goes on from the last that it heard. */
async function cutAndResumed(id: string): Promise<Heard[]> {
  const all: Heard[] = [];
  let after: string | undefined;
  for (let cut = 1; ; cut += 1) {
    const heard = await world.server.api.followEvents(id, { ...(after === undefined ? {} : { after }), enough: 3 + ((cut * 7) % 23) });
    all.push(heard);
    after = heard.messages.at(-1)?.id ?? after;
    if (heard.over) return all;
  }
}

/** The whole road: machines, snapshots, the cluster; watched by three at once. */
beforeAll(async () => {
  world = await World.make({ nodes: 4, base: 'bare' });
  for (const n of world.lab.nodes) before.set(n.name, await snapshot(world.lab, n.name));
  spec = await world.specFile({ bundles: ['demo'], only: three });
  const apply = world.server.strata(['apply', '-f', spec, '--yes', '--log-format', 'json'], { timeoutMs: long });
  try {
    runId = (await newRun(world)).id;
    const watch = world.server.strata(['runs', 'watch', runId, '--log-format', 'json'], { timeoutMs: long, ...second() });
    [watched, pieces] = await Promise.all([watch, cutAndResumed(runId)]);
  } finally {
    applied = await apply;
  }
  if (applied.code !== 0) throw new Error(`apply ended with ${applied.code}: ${applied.stderr}\n${lines(applied.stdout).slice(-5).join('\n').slice(0, 6_000)}`);
  events = await eventsOf(runId);
}, long + 600_000);
afterAll(() => world?.dispose(), 300_000);

describe('three bare machines become a cluster', () => {
  test('bare is bare: nothing that we install is there before', () => {
    for (const [name, lines] of before) {
      const files = new Set(lines.filter((l) => l.startsWith('file | ')).map((l) => l.split(' | ')[1]));
      for (const program of notOnBare) for (const dir of ['/usr/bin', '/usr/sbin', '/usr/local/bin', '/usr/local/sbin']) expect([name, program, files.has(`${dir}/${program}`)]).toEqual([name, program, false]); // prettier-ignore
      for (const p of notInstalledOnBare) expect(lines.filter((l) => l.startsWith(`package | ${p} | `))).toEqual([]);
      expect(files.has('/usr/bin/apt-get')).toBe(true); // the list is of a real machine
    }
  });
  test('every node is Ready', async () => {
    expect(await ready(world)).toEqual({ n1: true, n2: true, n3: true });
  });
  test('the workload runs on each, and its service answers by its name on each', async () => {
    const pods = await webPods(world);
    expect([...pods.keys()].sort()).toEqual(three);
    for (const [on, pod] of pods) {
      const from = await answersIn(world, pod);
      expect([on, from.length > 0, from.filter((name) => !three.includes(name))]).toEqual([on, true, []]);
    }
  });
  test.each(three)('the ledger has every native task that a bare machine needs as changed: %s', (name) => {
    const ended = outcomes(events);
    expect(Object.fromEntries(changedOnBare.map((task) => [task, ended.get(`${name}/${task}`)]))).toEqual(Object.fromEntries(changedOnBare.map((task) => [task, 'changed']))); // prettier-ignore
    expect(Object.fromEntries(satisfiedOnBare.map((task) => [task, ended.get(`${name}/${task}`)]))).toEqual(Object.fromEntries(satisfiedOnBare.map((task) => [task, 'satisfied']))); // prettier-ignore
  });
  test('every step of the plan ended well, each once', () => {
    const ended = outcomes(events);
    const bad = planned(events).filter((s) => !['changed', 'satisfied'].includes(ended.get(s.key) ?? 'never ended'));
    expect(bad.map((s) => `${s.key}: ${ended.get(s.key)}`)).toEqual([]);
    const changes = events.filter((e) => e.kind === 'OrderSettled' && e.body.outcome === 'changed').map((e) => e.step);
    expect(changes.length).toBe(new Set(changes).size);
  });
  test('a second terminal, and a client that is cut again and again, see the same events in the same order with none missing', () => {
    const heard = pieces.flatMap((p) => p.messages);
    expect(pieces.length).toBeGreaterThan(10);
    expect(heard.map((m) => m.event.seq)).toEqual(heard.map((_, i) => i + 1));
    expect(heard.map((m) => m.id)).toEqual(heard.map((m) => String(m.event.seq)));
    const asEvents = (text: string): unknown[] => lines(text).map((l) => JSON.parse(l) as unknown);
    expect(watched.code).toBe(0);
    expect(asEvents(watched.stdout)).toEqual(events);
    expect(asEvents(applied.stdout)).toEqual(events);
    expect(heard.map((m) => m.event)).toEqual(events);
  });
});

describe('a finished cluster', () => {
  test('is left alone by another apply', async () => {
    const began = performance.now();
    const again = await world.server.strata(['apply', '-f', spec, '--yes'], { timeoutMs: long });
    process.stdout.write(`    a no-change apply took ${((performance.now() - began) / 1000).toFixed(1)} s\n`);
    expect([again.code, again.stderr]).toEqual([0, '']);
    const run = await newestRun(world);
    expect(run).toMatchObject({ result: 'done', steps: { changed: 0, failed: 0 } });
  });
  test('has nothing to do by its plan, which asked every machine', async () => {
    const looked = await world.server.strata(['plan', '-f', spec, '--detailed-exitcode'], { timeoutMs: long });
    expect([looked.code, looked.stdout]).toEqual([0, expect.stringMatching(/Nothing to do: all \d+ steps were looked at/)]);
    await world.lab.must('n2', ['rm', '/etc/systemd/journald.conf.d/90-strata.conf']);
    const drifted = await world.server.strata(['plan', '-f', spec, '--detailed-exitcode'], { timeoutMs: long });
    expect([drifted.code, drifted.stdout.split('\n').filter((l) => /^ +(\w+ +)?\+ /.test(l))]).toEqual([2, [expect.stringMatching(/journald\.configure\)/)]]);
    await world.lab.must('n3', ['rm', '/etc/kubernetes/kubelet.conf', '/var/lib/kubelet/config.yaml']); // what a node in the cluster cannot ask for again
    await world.server.must(['apply', '-f', spec, '--yes'], { timeoutMs: long });
    expect(await newestRun(world)).toMatchObject({ result: 'done', steps: { changed: 2, failed: 0 } });
    expect(await ready(world)).toEqual({ n1: true, n2: true, n3: true });
  }, long); // prettier-ignore
  test('is shown by status and lists, whose exit codes say what they found', async () => {
    const { server, cluster } = world;
    const code = async (...args: string[]): Promise<number> => (await server.strata(args)).code;
    expect(await server.must(['status'])).toMatch(
      new RegExp(`cluster ${cluster}: ready\\n  ✓ native .*n1, n2, n3\\n  ✓ orchestration  API, .*\\n  ✓ containerized  demo/web, pods`),
    );
    expect(JSON.parse(await server.must(['runs', 'list', '-o', 'json']))).toHaveLength(5);
    expect(JSON.parse(await server.must(['node', 'list', '-o', 'json']))).toHaveLength(3);
    expect(await code('runs', 'watch', runId)).toBe(0);
    expect(await code('runs', 'show', 'ffffffff')).toBe(2);
    expect(await code('apply', '-f', '/nowhere/cluster.yaml')).toBe(2);
    expect(await code('uninstall', cluster)).toBe(2); // nobody to ask, and no --yes
    expect(await code('node', 'show', 'n9')).toBe(1);
    expect(await server.must(['logs', runId, 'n1/packages.install'])).toMatch(
      /asking apt for .*socat[^]*Setting up socat[^]*installed \d+ packages:[^]* socat \d/,
    );
    const elsewhere = { STRATA_SERVER: 'https://127.0.0.1:1', STRATA_TOKEN_FILE: join(server.home, 'secrets/admin.token') };
    const { code: unreached, stderr } = await server.strata(['status'], { env: { ...elsewhere, STRATA_CA_FILE: join(server.home, 'secrets/ca.pem') } });
    expect([unreached, stderr]).toEqual([1, expect.stringMatching(/what to do: start the control server/)]);
  }, 120_000);
});

describe('a fourth machine', () => {
  test('comes by `node add --ssh`, and the others get no step', async () => {
    const { address, hostKey } = world.lab.node('n4');
    const args = ['node', 'add', '--ssh', `root@${address}`, '--name', 'n4', '--key-file', world.lab.keyFile, '--host-key', hostKey];
    const added = await world.server.strata(args, { timeoutMs: long });
    expect([added.code, added.stderr]).toEqual([0, expect.any(String)]);
    const run = await newestRun(world);
    expect(run).toMatchObject({ intent: { kind: 'add-node', nodes: ['n4'] }, result: 'done' });
    const steps = planned(await eventsOf(run.id));
    expect([...new Set(steps.map((s) => s.key.split('/')[0]))].sort()).toEqual(['cluster', 'n4']);
    expect(await ready(world)).toEqual({ n1: true, n2: true, n3: true, n4: true });
  }, long); // prettier-ignore
  test(
    'is removed, and is what it was before',
    async () => {
      await world.server.must(['node', 'remove', 'n4', '--yes'], { timeoutMs: long });
      expect(await ready(world)).toEqual({ n1: true, n2: true, n3: true });
      expect(differences(before.get('n4') ?? [], await snapshot(world.lab, 'n4'))).toEqual([]);
    },
    long,
  );
  test(
    'comes again by the API: the same Idempotency-Key twice makes one node and one run',
    async () => {
      const { address, hostKey } = world.lab.node('n4');
      const known = (await runs(world)).map((r) => r.id);
      const body = {
        node: { name: 'n4', role: 'worker', address, ssh: { user: 'root', hostKey } },
        secrets: { privateKey: readFileSync(world.lab.keyFile, 'utf8') },
      };
      const post = (change: object = {}) =>
      world.server.api.ask<{ runId: string; node: string }>('POST', `/v1/clusters/${world.cluster}/nodes`, { body: { ...body, ...change }, headers: { 'idempotency-key': 'the-fourth' } }); // prettier-ignore
      const [first, again] = await Promise.all([post(), post()]);
      expect([first.status, again.status]).toEqual([202, 202]);
      expect(again.body).toEqual(first.body);
      expect((await post({ secrets: {} })).status).toBe(422);
      expect((await world.server.strata(['runs', 'watch', first.body.runId], { timeoutMs: long })).code).toBe(0);
      expect((await runs(world)).filter((r) => !known.includes(r.id)).map((r) => r.id)).toEqual([first.body.runId]);
      const nodes = await world.server.api.must<{ name: string }[]>('GET', `/v1/clusters/${world.cluster}/nodes`);
      expect(nodes.map((n) => n.name).sort()).toEqual(['n1', 'n2', 'n3', 'n4']);
      expect(await ready(world)).toEqual({ n1: true, n2: true, n3: true, n4: true });
    },
    long,
  );
});

describe('the cluster goes', () => {
  let said: string;
  beforeAll(async () => {
    await world.server.must(['kubeconfig', '--merge']);
    said = await world.server.must(['uninstall', world.cluster, '--yes'], { timeoutMs: long });
  }, long);
  test('with its context in the user’s kubeconfig, and says what there is no more', async () => {
    expect(said).toContain(`context "strata-${world.cluster}" is taken out`);
    expect(readFileSync(join(world.server.dir, 'user/.kube/config'), 'utf8')).toMatch(/current-context: ""/);
    expect((await world.server.strata(['kubeconfig'])).stderr).toMatch(/was uninstalled/);
    expect(await world.server.must(['cluster', 'list'])).toMatch(new RegExp(`${world.cluster} +uninstalled +\\S+ \\S+ +0 `));
  });
  test.each(['n1', 'n2', 'n3', 'n4'])('%s is what it was before', async (name) => {
    expect(differences(before.get(name) ?? [], await snapshot(world.lab, name))).toEqual([]);
  });
  test('and is forgotten', async () => {
    expect(await world.server.must(['status'])).toMatch(/uninstalled/);
    await world.server.must(['cluster', 'delete', world.cluster, '--yes']);
    expect(JSON.parse(await world.server.must(['cluster', 'list', '-o', 'json']))).toEqual([]);
  });
});
