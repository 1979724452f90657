import { connect } from 'node:net';
import { parse, stringify } from 'yaml';
import { answersIn, everyAgentConnected, newestRun, newRun, ready, runs, webPods } from './support/cluster';
import { until } from './support/program';
import { differences, type Snapshot, snapshot } from './support/snapshot';
import { World } from './support/world';

/** n3 is behind a NAT: it dials out, and nobody has a way to it. It comes by its join command and does all that the others do. */
const long = 20 * 60_000;
const nodes = ['n1', 'n2', 'n3'];
const before = new Map<string, Snapshot>();
let world: World;
let spec: string;

beforeAll(async () => {
  world = await World.make({ nodes: 3, base: 'ready' });
  await world.lab.act('nat', 'n3');
  await world.lab.refresh();
  for (const name of nodes) before.set(name, await snapshot(world.lab, name));
  spec = await world.specFile({ bundles: ['demo'], join: ['n3'] }, (text) => {
    const all = parse(text) as { spec: { nodes: { name: string; nat?: boolean; address?: string }[] } };
    const behind = all.spec.nodes.find((n) => n.name === 'n3');
    if (behind) Object.assign(behind, { nat: true, address: undefined });
    return stringify(all, { lineWidth: 0 });
  });
}, long);
afterAll(() => world?.dispose(), 300_000);

/** Every pod of the demo, asked from each, on each node. */
async function allAnswerAll(): Promise<void> {
  const pods = await until('a pod on each node', 120_000, async () => {
    const found = await webPods(world);
    return found.size === nodes.length ? found : null;
  });
  for (const [on, pod] of pods) {
    const heard = new Set<string>();
    await until(`all nodes to answer the pod on ${on}`, 120_000, async () => {
      for (const name of await answersIn(world, pod).catch(() => [])) heard.add(name);
      return heard.size === nodes.length;
    });
  }
}
/** Whether the ssh server at an address answers, asked from a node or from this machine. */
async function reaches(from: string, address: string): Promise<boolean> {
  if (from !== 'host') return (await world.lab.exec(from, ['timeout', '3', 'bash', '-c', 'exec 3<>"/dev/tcp/$1/22"', 'reach', address])).code === 0;
  return new Promise((resolve) => {
    const socket = connect({ host: address, port: 22, timeout: 3000 });
    const end = (yes: boolean): void => void (socket.destroy(), resolve(yes));
    socket.once('connect', () => end(true)).once('error', () => end(false)).once('timeout', () => end(false));
  });
} // prettier-ignore

test(
  'nobody reaches it; the other two become a cluster, and wait for it',
  async () => {
    for (const from of ['host', 'n1', 'n2'])
      expect([from, await reaches(from, world.lab.node('n3').address), await reaches(from, world.lab.node('n2').address)]).toEqual([from, false, true]);
    expect(await reaches('n3', world.lab.node('n1').address)).toBe(true);
    const ran = await world.server.strata(['apply', '-f', spec, '--yes'], { timeoutMs: long });
    expect([ran.code, ran.code === 4 ? '' : ran.stdout.slice(-3_000) + ran.stderr]).toEqual([4, '']);
    expect(await ready(world)).toEqual({ n1: true, n2: true });
  },
  long,
);

test(
  'it comes by its join command and is finished by itself',
  async () => {
    const known = (await runs(world)).map((r) => r.id);
    const { command } = JSON.parse(await world.server.must(['node', 'join-command', 'n3', '-o', 'json'])) as { command: string };
    const joined = await world.lab.exec('n3', ['bash'], { input: `${command}\n`, timeoutMs: 180_000 });
    expect([joined.code, joined.code === 0 ? '' : joined.stderr]).toEqual([0, '']);
    const { id } = await newRun(world, known, 120_000);
    const ended = await until('the run that finishes n3 to end', long, async () => (await runs(world)).find((r) => r.id === id && r.state === 'ended') ?? null);
    expect([ended.result, ended.because]).toEqual(['done', expect.any(String)]);
    expect(await ready(world)).toEqual({ n1: true, n2: true, n3: true });
  },
  long,
);

test(
  'it does all that the others do: pods of each node reach those of each by the name of their service; exec and logs work',
  async () => {
    await world.server.kubectl(world.cluster, ['delete', 'pods', '-l', 'app=web', '--wait=true']); // made before n3 came: the new ones are spread over all
    await allAnswerAll();
    const pod = (await webPods(world)).get('n3') ?? '';
    expect(await world.server.kubectl(world.cluster, ['logs', pod, '--tail=5'])).toEqual(expect.any(String));
    expect((await world.server.kubectl(world.cluster, ['exec', pod, '--', 'hostname'])).trim()).toBe(pod);
    // a full packet of the pods' network, in both directions, in one piece
    const address = (name: string): Promise<string> => world.server.kubectl(world.cluster, ['get', 'pod', name, '-o', 'jsonpath={.status.podIP}']);
    const other = await address((await webPods(world)).get('n2') ?? '');
    const own = await address(pod);
    for (const [from, to] of [['n3', other], ['n2', own]] as const) expect([from, (await world.lab.exec(from, ['ping', '-c2', '-W3', '-M', 'do', '-s', '1422', to])).code]).toEqual([from, 0]); // prettier-ignore
  },
  long,
);

test(
  'a tunnel that breaks and a machine that boots again come back by themselves',
  async () => {
    await world.lab.must('n1', ['systemctl', 'kill', '-s', 'KILL', 'strata-tunnel.service']);
    await allAnswerAll();
    await world.lab.act('reboot', 'n3');
    await until('n3 to be Ready again', 180_000, async () => (await ready(world)).n3 === true);
    await allAnswerAll();
  },
  long,
);

test(
  'another plan has nothing to do, and after uninstall each machine is what it was',
  async () => {
    await everyAgentConnected(world);
    const again = await world.server.strata(['plan', '-f', spec, '--detailed-exitcode'], { timeoutMs: long });
    expect([again.code, again.code === 0 ? '' : again.stdout]).toEqual([0, '']);
    await world.server.must(['uninstall', world.cluster, '--yes'], { timeoutMs: long });
    expect((await newestRun(world)).result).toBe('done');
    for (const name of nodes) expect([name, differences(before.get(name) ?? [], await snapshot(world.lab, name))]).toEqual([name, []]);
  },
  long,
);
