import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { aptInstall, fakeClockOfSsh, holdPort } from './support/obstacles';
import type { Ran } from './support/program';
import { differences, type Snapshot, snapshot } from './support/snapshot';
import { World } from './support/world';

/** Bad input and machines that are not fit: a clear error, an exit code that says which, and nothing is changed anywhere. */
const minutes = 60_000;
const before = new Map<string, Snapshot>();
let world: World;
let good: string;

/** Each machine has something that speaks against an install, and the control plane too little memory besides. */
beforeAll(async () => {
  world = await World.make({ nodes: 6, base: 'ready', memory: '1000M' });
  const { lab } = world;
  await Promise.all([
    holdPort(lab, 'n1', { port: 6443, unit: 'squatter' }),
    aptInstall(lab, 'n2', ['containerd']),
    fakeClockOfSsh(lab, 'n3', '+2h'),
    lab.must('n4', ['ip', 'route', 'add', '10.244.0.0/16', 'via', lab.hostAddress]),
  ]);
  for (const [name, is] of await Promise.all(lab.nodes.map(async (n) => [n.name, await snapshot(lab, n.name)] as const))) before.set(name, is);
  good = await lab.spec();
}, 15 * minutes);
afterAll(() => world?.dispose(), 5 * minutes);

function write(text: string): string {
  const dir = join(world.server.dir, 'user');
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  writeFileSync(join(dir, 'cluster.yaml'), text, { mode: 0o600 });
  return join(dir, 'cluster.yaml');
}
const apply = (text: string): Promise<Ran> => world.server.strata(['apply', '-f', write(text), '--yes'], { timeoutMs: 5 * minutes });
const address = (name: string): string => world.lab.node(name).address;
/** Where `what` first stands in a text: `line:column`, both from 1. */
function place(text: string, what: string): string {
  const at = text.indexOf(what);
  if (at < 0) throw new Error(`the spec has no ${what}`);
  const above = text.slice(0, at).split('\n');
  return `${above.length}:${(above.at(-1) ?? '').length + 1}`;
}
/** The spec with `from` replaced, each time it is there. */
const edited = (from: string, to: string): string => good.replaceAll(from, to);

describe('a spec that is wrong: exit 2, with file, line and column; nothing is sent', () => {
  const wrong: [string, () => { text: string; at: string; says: RegExp }][] = [
    ['syntax', () => ({ text: `${good}  policy: { nodeWait: 1m\n`, at: `${good.split('\n').length + 1}:1`, says: /flow|map|\}/i })],
    ['a duplicate key', () => ({ text: `${good}  nodes: []\n`, at: `${good.split('\n').length}:3`, says: /twice/ })],
    ['a wrong type', () => ({ text: edited('port: 22', 'port: many'), at: place(good, 'port: 22'), says: /expected number/ })],
    ['an unknown field', () => ({ text: `${good}  colour: red\n`, at: `${good.split('\n').length}:3`, says: /unknown field "colour"/ })],
    ['two nodes with one name', () => ({ text: edited('name: n2', 'name: n1'), at: place(good, 'name: n2'), says: /nodes 1 and 2 have the same name "n1"/ })],
    ['two nodes with one address', () => ({ text: edited(address('n2'), address('n1')), at: place(good, `address: ${address('n2')}`), says: /same address/ })],
    ['no control plane', () => ({ text: edited('role: control-plane', 'role: worker'), at: place(good, 'nodes:'), says: /no node has the role control-plane/ })],
    ['several control planes', () => ({ text: edited('role: worker', 'role: control-plane'), at: place(good, 'nodes:'), says: /several control-plane nodes are not supported yet/ })],
    ['an unknown version: which there are', () => ({ text: edited('version: 1.37.2', 'version: 1.12.0'), at: place(good, 'version: 1.37.2'), says: /Kubernetes 1\.12\.0 is not known here; choose one of: 1\.36\.3, 1\.37\.2/ })],
    ['IPv6 only', () => ({ text: edited(address('n2'), 'fd00::12'), at: place(good, `address: ${address('n2')}`), says: /IPv4/ })],
  ]; // prettier-ignore
  test.each(wrong)(
    '%s',
    async (_what, make) => {
      const { text, at, says } = make();
      const ran = await apply(text);
      expect([ran.code, ran.stderr]).toEqual([2, expect.stringMatching(says)]);
      expect(ran.stderr).toContain(`cluster.yaml:${at}: `);
      expect(ran.stderr).toContain('nothing was sent');
      expect(JSON.parse(await world.server.must(['cluster', 'list', '-o', 'json']))).toEqual([]);
    },
    2 * minutes,
  );
});

describe('machines that are not fit', () => {
  let ran: Ran;
  let said: string;
  beforeAll(async () => {
    const stranger = `SHA256:${'A'.repeat(43)}`;
    writeFileSync(join(world.server.dir, 'user', 'wrong-password'), 'not-the-password\n', { mode: 0o600 });
    const { hostKey } = world.lab.node('n5');
    const [upToN6 = '', n6 = ''] = good.replace(hostKey, stranger).split(/(?=^ *- name: n6$)/m);
    ran = await apply(`${upToN6}${n6.replace('user: root', 'user: ops').replace(/keyFile: .*/, `passwordFrom: file:${join(world.server.dir, 'user', 'wrong-password')}`)}`);
    said = `${ran.stdout}\n${ran.stderr}`;
  }, 10 * minutes); // prettier-ignore

  test('are refused in one run, with exit code 3 and a remedy for each', () => {
    expect([ran.code, said]).toEqual([3, expect.stringMatching(/nothing was changed/)]);
  });
  const findings: [string, string, () => RegExp][] = [
    ['n1', 'port 6443 is taken: which process, which unit', () => /6443\/tcp.*perl.*squatter\.service/],
    ['n1', 'too little memory', () => /1000\.0 MiB|1\.0 GiB of memory.*control-plane/],
    ['n2', "Debian's containerd", () => /containerd/],
    ['n3', 'a clock two hours ahead', () => /clock is 2\.0 hours ahead of the control server's/],
    ['n4', 'a route to the range of the pods', () => /pods 10\.244\.0\.0\/16 overlaps this machine's route to 10\.244\.0\.0\/16/],
    ['n5', 'another host key: both fingerprints', () => new RegExp(`${world.lab.node('n5').hostKey.replaceAll(/[+/]/g, '\\$&')}.*SHA256:A{43}`)],
    ['n6', 'a wrong password', () => new RegExp(`ops@${address('n6')}:22 refused the login \\(tried: password\\)`)],
  ];
  test.each(findings)('%s: %s', (node, _what, says) => {
    const about = said.split('\n').filter((line) => new RegExp(`\\b${node}\\b`).test(line)).join('\n'); // prettier-ignore
    expect(about).toMatch(says());
  });
});

test(
  'nothing was changed on any machine',
  async () => {
    const changed = await Promise.all([...before].map(async ([name, was]) => [name, ...differences(was, await snapshot(world.lab, name))]));
    expect(changed).toEqual([...before.keys()].map((name) => [name]));
  },
  10 * minutes,
);
