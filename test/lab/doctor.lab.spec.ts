import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { readTarGz, secretsIn } from './support/archive';
import { secretsOf } from './support/planted-secrets';
import { until } from './support/program';
import { differences, type Snapshot, snapshot } from './support/snapshot';
import { World } from './support/world';

/** A small cluster is broken in one way after the other: `strata doctor` names each break in its first finding, and is content when it is mended. */
const long = 20 * 60_000;
let world: World;
let clean: Snapshot; // n2, before anything of ours was on it
interface Check {
  code: string;
  where: string;
  verdict: string;
  cause: string;
  remedy: string;
}
interface Seen {
  code: number;
  healthy: boolean;
  checks: Check[];
}

beforeAll(async () => {
  world = await World.make({ nodes: 3, base: 'ready', diskSize: '5G' });
  clean = await snapshot(world.lab, 'n2'); // the one that is never off: another boot has other links
  const spec = await world.specFile();
  const applied = await world.server.strata(['apply', '-f', spec, '--yes'], { timeoutMs: long });
  if (applied.code !== 0) throw new Error(`apply ended with ${applied.code}: ${applied.stdout.slice(-3_000)}${applied.stderr}`);
}, long);
afterAll(() => world?.dispose(), 300_000);

async function doctor(...args: string[]): Promise<Seen> {
  const ran = await world.server.strata(['doctor', ...args, '-o', 'json'], { timeoutMs: 120_000 });
  if (ran.stdout.trim() === '') throw new Error(`doctor said nothing: ${ran.stderr}`);
  return { code: ran.code, ...(JSON.parse(ran.stdout) as Omit<Seen, 'code'>) };
}
const inside = (node: string, script: string): Promise<string> => world.lab.must(node, ['sh', '-c', script], { timeoutMs: 120_000 });
const first = ({ checks, code }: Seen): unknown[] => [
  code,
  checks[0]?.verdict,
  checks[0]?.where,
  checks[0]?.code,
  checks[0]?.cause,
  (checks[0]?.remedy ?? '') !== '',
];
const names = (where: string, code: string, cause: RegExp): unknown[] => [1, 'broken', where, code, expect.stringMatching(cause), true];
/** Until all is well again: Kubernetes follows a mended node within its own time. */
const healed = (): Promise<true> =>
  until('the doctor to be content again', 240_000, async () => {
    const seen = await doctor();
    return seen.healthy && seen.code === 0 ? true : null;
  });

/** How a node is broken, what the doctor is to say first, and how it is mended. */
interface Break {
  name: string;
  node: string;
  now: () => Promise<unknown>;
  says: { where?: string; code: string; cause: RegExp };
  mend: () => Promise<unknown>;
}
const kubernetes = '/etc/kubernetes';
const breaks: Break[] = [
  {
    name: 'kubelet is stopped',
    node: 'n2',
    now: () => inside('n2', 'systemctl stop kubelet'),
    says: { code: 'node.kubelet', cause: /kubelet\.service is inactive: somebody stopped it/ },
    mend: () => inside('n2', 'systemctl start kubelet'),
  },
  {
    name: 'the configuration of containerd is broken',
    node: 'n3',
    now: () => inside('n3', 'cp -a /etc/containerd/config.toml /root/kept && echo "[[[ no toml" >> /etc/containerd/config.toml && ! systemctl restart containerd'),
    says: { code: 'node.containerd', cause: /containerd\.service does not start: .*toml/i },
    mend: () => inside('n3', 'mv /root/kept /etc/containerd/config.toml && systemctl restart containerd'),
  },
  {
    name: 'the agent is killed and masked',
    node: 'n2',
    now: () => inside('n2', 'cp -a /etc/systemd/system/stratad.service /root/unit; systemctl kill -s KILL stratad; systemctl stop stratad; rm /etc/systemd/system/stratad.service; systemctl mask stratad'),
    says: { code: 'node.agent', cause: /the machine answers, but its agent has no session .*masked/ },
    mend: () => inside('n2', 'systemctl unmask stratad; mv /root/unit /etc/systemd/system/stratad.service; systemctl daemon-reload; systemctl enable --now stratad'),
  },
  {
    name: 'the disk is full',
    node: 'n3',
    now: () => world.lab.act('full', 'n3'),
    says: { code: 'node.disk', cause: /the disk is full: \d+ MiB of .* are left/ },
    mend: () => world.lab.act('heal', 'n3'),
  },
  {
    name: 'a file that Strata wrote is deleted, which nothing feels before the next boot',
    node: 'n2',
    now: () => inside('n2', 'mv /etc/sysctl.d/90-strata.conf /root/kept'),
    says: { code: 'node.files', cause: /^\/etc\/sysctl\.d\/90-strata\.conf is missing$/ },
    mend: () => inside('n2', 'mv /root/kept /etc/sysctl.d/90-strata.conf'),
  },
  {
    name: 'files of the runtime, the network and kubelet are deleted while all still runs',
    node: 'n3',
    now: () => inside('n3', 'cd /root && mv /etc/containerd/config.toml . && mv /etc/cni/net.d/10-flannel.conflist . && mv /var/lib/kubelet/config.yaml .'),
    says: { code: 'node.files', cause: /(?=.*\/etc\/containerd\/config\.toml)(?=.*\/var\/lib\/kubelet\/config\.yaml).* are missing; .*10-flannel\.conflist is missing/ },
    // containerd reads networks anew when one is written, not when one is moved there from another folder
    mend: () => inside('n3', 'cd /root && mv config.toml /etc/containerd/ && cp -p 10-flannel.conflist /etc/cni/net.d/ && rm 10-flannel.conflist && mv config.yaml /var/lib/kubelet/'),
  },
  {
    name: 'kubelet has lost its kubeconfig',
    node: 'n2',
    now: () => inside('n2', `mv ${kubernetes}/kubelet.conf /root/kept; systemctl restart kubelet`),
    says: { code: 'node.credentials', cause: /\/etc\/kubernetes\/kubelet\.conf is missing/ },
    mend: () => inside('n2', `mv /root/kept ${kubernetes}/kubelet.conf; systemctl restart kubelet`),
  },
  {
    name: 'the manifest of the API server is moved away',
    node: 'n1',
    now: () => inside('n1', `mv ${kubernetes}/manifests/kube-apiserver.yaml /root/kept`),
    says: { code: 'node.manifests', cause: /missing: .*kube-apiserver\.yaml/ },
    mend: () => inside('n1', `mv /root/kept ${kubernetes}/manifests/kube-apiserver.yaml`),
  },
  {
    name: "the cluster's names are taken out of /etc/hosts",
    node: 'n3',
    now: () => inside('n3', 'cp -a /etc/hosts /root/kept; echo 127.0.0.1 localhost > /etc/hosts'),
    says: { code: 'node.names', cause: /api\..*\.strata\.internal.* does not resolve; the part of Strata is missing in \/etc\/hosts/ },
    mend: () => inside('n3', 'cat /root/kept > /etc/hosts; rm /root/kept'),
  },
  {
    name: 'the network between the control host and a node is cut',
    node: 'n2',
    now: () => world.lab.act('cut', 'n2', ['--from', 'host']),
    says: { code: 'node.reach', cause: /the machine is on, but the network between this control host and it is cut: (n1|n3).* reach/ },
    mend: () => world.lab.act('heal', 'n2'),
  },
  {
    name: 'a node is off',
    node: 'n3',
    now: () => world.lab.act('off', 'n3'),
    says: { code: 'node.reach', cause: /is off or cut off: neither port 22 nor port 10250 answers this host, nor (n1|n2)/ },
    mend: () => world.lab.act('on', 'n3'),
  },
]; // prettier-ignore

test(
  'a cluster that is well: exit 0, and it says so',
  async () => {
    await healed();
    const text = await world.server.must(['doctor'], { timeoutMs: 120_000 });
    expect(text).toMatch(/healthy: \d+ of \d+ checks are well \(control host, .*n1.*n2.*n3/);
  },
  long,
);

test.each(breaks)(
  '$name',
  async ({ name, node, now, says, mend }) => {
    await now();
    try {
      const seen = await doctor();
      expect(first(seen)).toEqual(names(says.where ?? node, says.code, says.cause));
      if (name.includes('masked')) await fromInside(node);
      if (name === 'a node is off') await archive();
      if (name === 'the disk is full') await agentOnFullDisk(node);
    } finally {
      await mend();
    }
    await healed();
  },
  long,
);

/** The agent comes up on a full disk and stays: a run is refused by the name of the cause, and does not wait for a node that is silent. */
async function agentOnFullDisk(node: string): Promise<void> {
  const restarts = (): Promise<string> => inside(node, 'systemctl show -p NRestarts --value stratad');
  await inside(node, 'systemctl restart stratad');
  expect((await restarts()).trim()).toBe('0');
  expect(first(await doctor(node))).toEqual(names(node, 'node.disk', /the disk is full/));
  const began = performance.now();
  const { code, stdout, stderr } = await world.server.strata(['apply', '-f', await world.specFile(), '--yes'], { timeoutMs: long });
  process.stdout.write(`    an apply on a full disk ended with ${code} after ${((performance.now() - began) / 1000).toFixed(0)} s\n`);
  expect([code === 0, `${stdout}${stderr}`]).toEqual([false, expect.stringMatching(/journal .* ENOSPC/) as string]);
  expect([(await restarts()).trim(), (await inside(node, 'systemctl is-active stratad')).trim()]).toEqual(['0', 'active']);
  await inside(node, 'systemctl stop stratad');
  await until('the server to see that the session is over', 30_000, async () => {
    const seen = await doctor(node);
    return (
      seen.checks.some((c) => c.code === 'node.disk' && /the last that its agent said \(.*the disk of \/var\/lib\/strata is full.*ENOSPC/.test(c.cause)) || null
    );
  });
  await inside(node, 'systemctl start stratad');
}

/** Secrets of every kind, some planted where an archive looks: none is in it, and what tells of the break is. */
async function archive(): Promise<void> {
  const canaries = await secretsOf(world);
  expect(canaries.size).toBeGreaterThan(14);
  for (const [what, value] of canaries) expect([what, value.length > 15]).toEqual([what, true]);
  const file = join(world.server.dir, 'user', 'support.tar.gz');
  const began = performance.now();
  await world.server.must(['support', '-o', file], { timeoutMs: 180_000 });
  const took = performance.now() - began;
  expect(statSync(file).mode & 0o077).toBe(0);
  const files = readTarGz(readFileSync(file));
  const { missing, places } = JSON.parse(files.get('manifest.json')?.toString() ?? '') as Manifest;
  expect(places.map((p) => p.place)).toEqual(expect.arrayContaining(['control-host', 'nodes/n1', 'nodes/n2']));
  expect(missing).toContainEqual({ what: 'nodes/n3', why: expect.stringMatching(/no session|did not answer|session .* ended/) as string });
  for (const path of ['control-host/logs/server.log', 'control-host/runs.json', 'control-host/clusters.json', 'nodes/n1/doctor.json', 'nodes/n1/facts.json', 'nodes/n1/logs/kubelet.log', 'nodes/n2/logs/stratad.log', 'nodes/n1/orders.json'])
    expect([path, (files.get(path)?.length ?? 0) > 100]).toEqual([path, true]); // prettier-ignore
  expect([...files].filter(([path, bytes]) => /^nodes\/n1\/pods\/.*kube-scheduler/.test(path) && bytes.includes('planted admin.conf'))).toHaveLength(1);
  const runs = [...files.keys()].filter((f) => f.startsWith('control-host/runs/'));
  for (const part of ['events.jsonl', 'plan.txt', '/steps/']) expect([part, runs.some((f) => f.includes(part))]).toEqual([part, true]);
  for (const [path, bytes] of files) expect([path, secretsIn(canaries, bytes)]).toEqual([path, []]);
  for (const place of ['control-host', 'nodes/n1']) expect([place, (places.find((p) => p.place === place)?.scrubbed ?? 0) > 8]).toEqual([place, true]);
  process.stdout.write(
    `    an archive of ${files.size} files, one node off, took ${(took / 1000).toFixed(1)} s; ${(statSync(file).size / 1e6).toFixed(2)} MB\n`,
  );
}
interface Manifest {
  missing: { what: string; why: string }[];
  places: { place: string; scrubbed: number }[];
}

/** The same by SSH and on the machine itself, where the server sees nothing any more. */
async function fromInside(node: string): Promise<void> {
  const { address, hostKey } = world.lab.node(node);
  const ssh = await doctor(node, '--ssh', `root@${address}`, '--key-file', world.lab.keyFile, '--host-key', hostKey);
  expect(first(ssh)).toEqual(names(node, 'node.agent', /stratad\.service is masked/));
  const own = await world.lab.exec(node, ['stratad', 'doctor']);
  expect([own.code, own.stdout]).toEqual([1, expect.stringMatching(/^n2 is broken[^]*BROKEN {2}n2: the agent runs: stratad\.service is masked/)]);
}

test(
  'a supervisor that was killed: doctor and status say so, with the remedy',
  async () => {
    world.server.kill('supervisor');
    const seen = await doctor();
    expect(first(seen)).toEqual(names('control host', 'control.supervisor', /the supervisor \(process \d+\) is dead/));
    expect(seen.checks[0]?.remedy).toMatch(/^strata up/);
    expect((await world.server.strata(['status'])).stdout).toMatch(/the supervisor .* is dead[^]*what to do: strata up/);
    await world.server.up();
    await healed();
  },
  long,
);

test(
  'a server that is down: doctor and support work from the files of the control host',
  async () => {
    await world.server.down();
    const seen = await doctor();
    expect(first(seen)).toEqual(names('control host', 'control.supervisor', /the control server was stopped/));
    const file = join(world.server.dir, 'user', 'down.tar.gz');
    await world.server.must(['support', '-o', file], { timeoutMs: 180_000 });
    const files = readTarGz(readFileSync(file));
    expect([...files.keys()]).toEqual(expect.arrayContaining(['control-host/logs/server.log', 'control-host/logs/supervisor.log', 'control-host/doctor.json']));
    expect(files.get('manifest.json')?.toString()).toMatch(/"nodes"[^]*the server was asked and it did not answer/);
    await world.server.up();
    await healed();
  },
  long,
);

interface Change {
  kind: string;
  what: string;
  before: string;
  now: string;
  task: string;
}
test(
  'what we did on a node: each thing with what was there before and who made it, the same from the server and on the machine',
  async () => {
    const asked = JSON.parse(await world.server.must(['node', 'changes', 'n1', '-o', 'json'], { timeoutMs: 120_000 })) as { changes: Change[] };
    const of = (kind: string, what: string): Change | undefined => asked.changes.find((c) => c.kind === kind && c.what === what);
    expect(of('file', '/etc/hosts')).toMatchObject({ task: 'hosts.block', before: expect.stringMatching(/^sha256:[0-9a-f]{16} \d+ bytes 0644$/) as string });
    expect(of('file', '/usr/local/bin/kubelet')).toMatchObject({
      task: 'kubernetes.binaries',
      before: 'absent',
      now: expect.stringMatching(/^sha256:.* 0755$/) as string,
    });
    expect(of('unit', 'kubelet.service')).toMatchObject({ before: 'no such unit', now: 'active, enabled' });
    expect(of('sysctl', 'kernel.panic')).toMatchObject({ task: 'kubernetes.kubelet-start', before: '0', now: '10' });
    expect(of('file', '/etc/kubernetes/pki/ca.key')).toMatchObject({
      before: 'absent',
      now: expect.stringMatching(/^sha256:[0-9a-f]{16} \d+ bytes 0600$/) as string,
    });
    const own = JSON.parse(await world.lab.must('n1', ['stratad', 'changes', '-o', 'json'])) as { changes: Change[] };
    const books = (c: Change): boolean => c.kind !== 'folder';
    expect(own.changes.filter(books).map((c) => c.what)).toEqual(asked.changes.filter(books).map((c) => c.what));
    expect((await world.server.must(['node', 'changes', 'n1'])).split('\n')[0]).toMatch(/^KIND +WHAT +BEFORE +NOW +TASK/);
  },
  long,
);

test(
  'a node without its server: `stratad uninstall` gives the machine back, and says so',
  async () => {
    await world.server.down();
    const ran = await world.lab.exec('n2', ['stratad', 'uninstall'], { timeoutMs: 300_000 });
    expect([ran.code, ran.stderr]).toEqual([
      0,
      expect.stringMatching(
        /n2\/kubernetes\.join: taken back[^]*n2\/hosts\.block: taken back[^]*the agent is gone from this machine\nthis machine is as it was/,
      ),
    ]);
    expect(differences(clean, await snapshot(world.lab, 'n2'))).toEqual([]);
  },
  long,
);

test(
  'what cannot be taken back stops an uninstall, which says what is left; --force goes on',
  async () => {
    await inside(
      'n3',
      'rm -r /var/lib/strata/preimages; chattr +i /etc/security/limits.d/90-strata.conf 2>/dev/null || (mv /etc/security/limits.d/90-strata.conf /root/l && mkdir -p /etc/security/limits.d/90-strata.conf/x)',
    );
    const first = await world.lab.exec('n3', ['stratad', 'uninstall'], { timeoutMs: 300_000 });
    expect([first.code, first.stderr]).toEqual([
      1,
      expect.stringMatching(/limits\.configure: NOT taken back[^]*left: n3\/limits\.configure[^]*stratad uninstall --force/),
    ]);
    await world.lab.active('n3', 'stratad');
    const forced = await world.lab.exec('n3', ['stratad', 'uninstall', '--force'], { timeoutMs: 300_000 });
    expect([forced.code, forced.stderr]).toEqual([
      1,
      expect.stringMatching(/hosts\.block: taken back[^]*the agent is gone from this machine[^]*left: n3\/limits\.configure/),
    ]);
    expect((await world.lab.exec('n3', ['test', '-e', '/var/lib/strata/befores'])).code).toBe(1);
  },
  long,
);
