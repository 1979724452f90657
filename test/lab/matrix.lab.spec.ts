import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Finding, PairCell, PairMatrix } from '@strata/model';
import { holdPort } from './support/obstacles';
import type { Ran } from './support/program';
import { differences, type Snapshot, snapshot } from './support/snapshot';
import { World } from './support/world';

/** Who reaches whom, before anything is installed: a blocked port, a narrow path and a slow disk are each named where they are, and no machine is changed by the look. */
const minutes = 60_000;
const before = new Map<string, Snapshot>();
let world: World;
let page: string;
let ran: Ran;
let said: { findings: Finding[]; matrix: PairMatrix; page: string };

const hostOf = (name: string, user = 'root'): string => `${user}@${world.lab.node(name).address}`;
const precheck = (args: readonly string[]): Promise<Ran> => world.server.strata(['precheck', ...args], { timeoutMs: 5 * minutes });
const cell = (from: string, to: string): PairCell => {
  const found = said.matrix.pairs.find((c) => c.from === from && c.to === to);
  if (!found) throw new Error(`nothing is said of ${from} to ${to}`);
  return found;
};
const port = (from: string, to: string, number: number): string | undefined => cell(from, to).ports.find((p) => p.port === number)?.result;

beforeAll(async () => {
  world = await World.make({ nodes: 3, base: 'ready' });
  const { lab } = world;
  mkdirSync(join(world.server.dir, 'user'), { recursive: true, mode: 0o700 });
  page = join(world.server.dir, 'user', 'page.html');
  const rules = 'table inet planted {\n chain input {\n type filter hook input priority 0; policy accept;\n udp dport 8472 drop\n }\n}\n';
  await Promise.all([
    lab.must('n1', ['nft', '-f', '-'], { input: rules }),
    lab.act('narrow', 'n2', ['1400']),
    lab.act('slow-disk', 'n3', ['--writes', '8']),
    holdPort(lab, 'n3', { port: 10250, unit: 'squatter' }),
  ]);
  // Debian's sudo marks a user's first time in his home: that is its own doing
  const firstTime = ['install', '-o', 'ops', '-g', 'ops', '-m', '644', '/dev/null', '/home/ops/.sudo_as_admin_successful'];
  await Promise.all(lab.nodes.map((n) => lab.must(n.name, firstTime)));
  for (const [name, is] of await Promise.all(lab.nodes.map(async (n) => [n.name, await snapshot(lab, n.name)] as const))) before.set(name, is);
}, 15 * minutes);
afterAll(() => world?.dispose(), 5 * minutes);

describe('machines alone, without a spec and without an agent', () => {
  beforeAll(async () => {
    ran = await precheck(['--ssh', ...['n1', 'n2', 'n3'].map((n) => hostOf(n)), '--key-file', world.lab.keyFile, '--accept-new-host-key', '--page', page, '-o', 'json']);
    said = JSON.parse(ran.stdout) as typeof said;
  }, 6 * minutes);

  test('exit 3: something would stop an install', () => expect([ran.code, ran.stderr]).toEqual([3, expect.any(String)]));
  test('the blocked port: UDP 8472 reaches n1 from both others, and its own firewall drops it; all else is open', () => {
    for (const from of ['n2', 'n3']) expect([6443, 2379, 2380, 10250, 8472].map((p) => port(from, 'n1', p))).toEqual(['open', 'open', 'open', 'open', 'dropped']);
    for (const [from, to] of [['n1', 'n2'], ['n1', 'n3'], ['n2', 'n3'], ['n3', 'n2']] as const) expect([from, to, port(from, to, 8472)]).toEqual([from, to, 'open']);
    const found = said.findings.filter((f) => f.code === 'pairs.blocked');
    expect(found.map((f) => [f.severity, f.node, f.message])).toEqual([['blocker', 'n1', expect.stringMatching(/^UDP 8472, .*from n2, n3 to n1: it reaches the machine, whose own firewall drops it/)]]);
  });
  test('the narrow path: 1,400 bytes to n2, and what n2 sends is no larger by more than a VLAN tag; elsewhere the full 1,500', () => {
    expect(['n1', 'n3'].map((n) => cell(n, 'n2').mtu)).toEqual(Array(2).fill({ path: 1400, link: 1500, told: false }));
    for (const n of ['n1', 'n3']) expect([1400, 1404]).toContain(cell('n2', n).mtu.path);
    expect([cell('n1', 'n3').mtu.path, cell('n3', 'n1').mtu.path]).toEqual([1500, 1500]);
    const found = said.findings.filter((f) => f.code === 'pairs.mtu');
    expect(found.map((f) => [f.severity, f.node, f.message])).toEqual([['blocker', 'n2', expect.stringMatching(/more than 1,400 bytes/)]]);
  });
  test('the slow disk: n3, with its figure', () => {
    const disk = said.matrix.nodes.find((n) => n.name === 'n3')!.disk!;
    expect(disk.p99Us).toBeGreaterThan(100_000);
    const found = said.findings.find((f) => f.code === 'disk.slow' && f.node === 'n3');
    expect(found?.message).toContain(`takes ${Math.round(disk.p99Us / 1000)} ms to be safe on disk`);
    const others = said.matrix.nodes.filter((n) => n.name !== 'n3').map((n) => n.disk!.p50Us);
    expect(Math.max(...others)).toBeLessThan(disk.p50Us);
  });
  test('round trip and bandwidth of every way whose packets are whole', () => {
    expect(said.matrix.pairs).toHaveLength(6);
    for (const c of said.matrix.pairs) expect([c.from, c.to, c.rttUs !== null && c.rttUs > 0 && c.rttUs < 1_000_000]).toEqual([c.from, c.to, true]);
    for (const c of [cell('n1', 'n3'), cell('n3', 'n1')]) expect(c.mbit).toBeGreaterThan(10);
  });
  test('the page says all three, alone and without a request', () => {
    const html = readFileSync(page, 'utf8');
    expect(said.page).toBe(page);
    for (const words of ['UDP 8472 dropped', 'MTU 1400 of 1500', 'packets of more than 1,400 bytes', 'slow disk', 'whose own firewall drops it', 'What to do:']) expect(html).toContain(words);
    expect(html).not.toMatch(/<script|src=|https?:\/\//);
  });
  test('nothing is kept of them: no cluster, no login', async () => {
    expect(JSON.parse(await world.server.must(['cluster', 'list', '-o', 'json']))).toEqual([]);
  });
}); // prettier-ignore

describe('a user with sudo, a port that is taken, and a spec', () => {
  test('another login sees the same, and a held port is named', async () => {
    const spec = await world.specFile({ user: 'ops' });
    const again = await precheck(['-f', spec, '--page', page, '-o', 'json']);
    expect([again.code, again.stderr]).toEqual([3, expect.any(String)]);
    said = JSON.parse(again.stdout) as typeof said;
    expect(said.matrix.nodes.map((n) => [n.name, n.probe, n.taken])).toEqual([['n1', 'perl', []], ['n2', 'perl', []], ['n3', 'perl', [{ proto: 'tcp', port: 10250 }]]]);
    expect([port('n2', 'n1', 8472), port('n1', 'n3', 10250), port('n1', 'n2', 10250)]).toEqual(['dropped', 'open', 'open']);
    expect(said.findings.some((f) => f.code === 'port.taken' && f.node === 'n3')).toBe(true);
  }, 6 * minutes);
}); // prettier-ignore

test(
  'healed, nothing speaks against an install; and no machine was changed by all this',
  async () => {
    const { lab } = world;
    const changed = await Promise.all([...before].map(async ([name, was]) => [name, ...differences(was, await snapshot(lab, name))]));
    expect(changed).toEqual([...before.keys()].map((name) => [name]));
    await Promise.all([lab.must('n1', ['nft', 'delete', 'table', 'inet', 'planted']), lab.act('heal', 'n2'), lab.act('heal', 'n3'), lab.must('n3', ['systemctl', 'stop', 'squatter'])]); // prettier-ignore
    const healed = await precheck(['--ssh', ...['n1', 'n2', 'n3'].map((n) => hostOf(n)), '--key-file', lab.keyFile, '--accept-new-host-key', '--page', page]);
    expect([healed.code, healed.stdout]).toEqual([0, expect.stringMatching(/n1 -> n2 +well .*MTU 1500/)]);
    expect(readFileSync(page, 'utf8')).toMatch(/Ready to install|Can be installed, with/);
  },
  10 * minutes,
);

test(
  'a machine without Perl and Python is looked at as before, and says that its ways could not be tried',
  async () => {
    const hide = 'for f in /usr/bin/perl* /usr/bin/python3* /usr/libexec/platform-python; do [ ! -e "$f" ] || [ -L "$f" ] || mount --bind /dev/null "$f"; done';
    await world.lab.must('n3', ['bash', '-c', hide]);
    const without = await precheck(['-f', await world.specFile(), '--page', page, '-o', 'json']);
    expect([without.code, without.stderr]).toEqual([0, expect.any(String)]);
    said = JSON.parse(without.stdout) as typeof said;
    expect(said.findings.filter((f) => f.code === 'pairs.unknown').map((f) => [f.severity, f.node, f.message])).toEqual([
      ['warning', 'n3', expect.stringMatching(/neither Perl nor Python/)],
    ]);
    expect(said.matrix.pairs.map((c) => `${c.from}${c.to}`)).toEqual(['n1n2', 'n2n1']);
    expect(readFileSync(page, 'utf8')).toContain('it has neither Perl nor Python');
  },
  5 * minutes,
);
