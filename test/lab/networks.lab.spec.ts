import { parse, stringify } from 'yaml';
import { answersIn, ready, webPods } from './support/cluster';
import { type Ran, until } from './support/program';
import { differences, type Snapshot, snapshot } from './support/snapshot';
import { World } from './support/world';

/** Machines with two network cards: the default route leads over the first, the cluster shall live on the second. */
const long = 20 * 60_000;
const nodes = ['n1', 'n2'];
const mtu = 1400;
const second = new Map<string, string>();
const before = new Map<string, Snapshot>();
let world: World;

beforeAll(async () => {
  world = await World.make({ nodes: 2, base: 'ready' });
  for (const name of nodes) await world.lab.act('card', name, ['--mtu', String(mtu)]);
  await world.lab.refresh();
  for (const n of world.lab.nodes) {
    second.set(n.name, n.second ?? '');
    before.set(n.name, await snapshot(world.lab, n.name));
  }
}, long);
afterAll(() => world?.dispose(), 300_000);

interface Spec {
  spec: { network?: object; nodes: { name: string; address?: string; ssh: { host?: string } }[] };
}
/** The lab's spec with its nodes changed: `ssh.host` is the first card, so that `address` may say anything or nothing. */
const spec = (address: (name: string) => string | undefined, network?: object): Promise<string> =>
  world.specFile({ bundles: ['demo'] }, (text) => {
    const all = parse(text) as Spec;
    for (const node of all.spec.nodes) {
      node.ssh.host = node.address ?? '';
      const chosen = address(node.name);
      if (chosen === undefined) delete node.address;
      else node.address = chosen;
    }
    return stringify({ ...all, spec: { ...all.spec, ...(network ? { network } : {}) } }, { lineWidth: 0 });
  });
const apply = async (file: Promise<string>): Promise<Ran> => world.server.strata(['apply', '-f', await file, '--yes'], { timeoutMs: long });
const first = (name: string): string => world.lab.node(name).address;

test(
  'ranges that cannot be are refused by `validate`, at their place',
  async () => {
    const file = await spec((name) => second.get(name), { podCidr: '10.100.0.0/16', serviceCidr: '10.96.0.0/12' });
    const ran = await world.server.strata(['validate', '-f', file]);
    expect([ran.code, ran.stdout + ran.stderr]).toEqual([
      2,
      expect.stringMatching(/cluster\.yaml:\d+:\d+: .*pods 10\.100\.0\.0\/16 and services 10\.96\.0\.0\/12 overlap/),
    ]);
  },
  long,
);

test(
  'without a choice both are refused: exit 3, each address named with its card, nothing changed',
  async () => {
    const ran = await apply(spec(() => undefined));
    expect([ran.code, ran.stdout]).toEqual([3, expect.stringMatching(/nothing was changed/)]);
    for (const name of nodes) {
      const choice = `several addresses: ${first(name)} (host0), ${second.get(name)} (lan1)`;
      expect([name, ran.stdout.includes(choice)]).toEqual([name, true]);
      expect(differences(before.get(name) ?? [], await snapshot(world.lab, name))).toEqual([]);
    }
    expect(ran.stdout).toMatch(/name one of them, or its interface, as `address` of the node/);
  },
  long,
);

test(
  'with the second address the cluster lives there: kubelet, API server, etcd, the pod network and its packet size',
  async () => {
    // once as an address, once as an interface
    const ran = await apply(spec((name) => (name === 'n1' ? second.get(name) : 'lan1')));
    expect([ran.code, ran.code === 0 ? '' : ran.stdout.slice(-3_000) + ran.stderr]).toEqual([0, '']);
    expect(await ready(world)).toEqual({ n1: true, n2: true });
    const { items } = JSON.parse(await world.server.kubectl(world.cluster, ['get', 'nodes', '-o', 'json'])) as {
      items: { metadata: { name: string; annotations: Record<string, string> }; status: { addresses: { type: string; address: string }[] } }[];
    };
    for (const { metadata, status } of items) {
      const taken = {
        kubelet: status.addresses.find((a) => a.type === 'InternalIP')?.address,
        flannel: metadata.annotations['flannel.alpha.coreos.com/public-ip'],
        mtu: (await world.lab.must(metadata.name, ['cat', '/sys/class/net/flannel.1/mtu'])).trim(),
      };
      const own = second.get(metadata.name);
      expect([metadata.name, taken]).toEqual([metadata.name, { kubelet: own, flannel: own, mtu: String(mtu - 50) }]);
    }
    const endpoints = await world.server.kubectl(world.cluster, ['get', 'endpointslices', 'kubernetes', '-o', 'jsonpath={.endpoints[*].addresses[*]}']);
    expect(endpoints.trim()).toBe(second.get('n1'));
    const etcd = await world.lab.must('n1', ['ss', '-Hltn', 'sport = :2380']);
    expect(etcd).toMatch(new RegExp(`${second.get('n1')?.replaceAll('.', '\\.')}:2380`));
  },
  long,
);

test(
  'and nowhere else: pods on both answer by the name of their service when the two cannot see each other on the first network',
  async () => {
    await world.lab.act('cut', 'n1', ['--from', 'n2']);
    expect((await world.lab.exec('n1', ['ping', '-c1', '-W1', first('n2')])).code).not.toBe(0);
    const pods = await webPods(world);
    expect([...pods.keys()].sort()).toEqual(nodes);
    for (const pod of pods.values()) {
      const heard = new Set<string>();
      await until(`both nodes to answer ${pod}`, 60_000, async () => {
        for (const name of await answersIn(world, pod)) heard.add(name);
        return heard.size === nodes.length;
      });
      expect([...heard].sort()).toEqual(nodes);
    }
    await world.lab.act('heal', 'n1');
  },
  long,
);

test(
  'another apply has nothing to do, and after uninstall each machine is what it was',
  async () => {
    const again = await world.server.strata(['plan', '-f', await spec((name) => second.get(name)), '--detailed-exitcode'], { timeoutMs: long });
    expect([again.code, again.code === 0 ? '' : again.stdout]).toEqual([0, '']);
    await world.server.must(['uninstall', world.cluster, '--yes'], { timeoutMs: long });
    for (const name of nodes) expect([name, differences(before.get(name) ?? [], await snapshot(world.lab, name))]).toEqual([name, []]);
  },
  long,
);
