import { answersIn, ready } from './support/cluster';
import { dockerLike, nftables, ruleSets, twoOwners, ufw } from './support/firewalls';
import { until } from './support/program';
import { World } from './support/world';

/**
 * Four machines whose firewalls drop what comes in and what is forwarded, each of another kind: what the cluster needs gets through all of them,
 * stays let through, and afterwards every rule set is what it was.
 */
const long = 15 * 60_000;
const names = ['n1', 'n2', 'n3', 'n4'];
let world: World;
const before = new Map<string, string>();

beforeAll(async () => {
  world = await World.make({ nodes: 4, base: 'ready' });
  const { lab } = world;
  await Promise.all([nftables(lab, 'n1'), dockerLike(lab, 'n2'), ufw(lab, 'n3'), twoOwners(lab, 'n4')]);
  for (const name of names) before.set(name, await ruleSets(lab, name));
}, long);
afterAll(() => world?.dispose(), 300_000);

interface Pods {
  items: {
    metadata: { name: string; deletionTimestamp?: string };
    spec: { nodeName?: string };
    status: { phase?: string; podIP?: string; conditions?: { type: string; status: string }[] };
  }[];
}
interface Pod {
  name: string;
  node: string;
  ip: string;
}
/** One web pod on each node, ready. */
async function pods(): Promise<Pod[]> {
  const { items } = JSON.parse(await world.server.kubectl(world.cluster, ['get', 'pods', '-l', 'app=web', '-o', 'json'])) as Pods;
  return items
    .filter((p) => !p.metadata.deletionTimestamp && p.status.conditions?.some((c) => c.type === 'Ready' && c.status === 'True'))
    .map((p) => ({ name: p.metadata.name, node: p.spec.nodeName ?? '', ip: p.status.podIP ?? '' }));
}
/** Every pod reaches every other one, and the service by its name; every machine reaches every pod and the service. Gives what does not work. */
async function unreached(): Promise<string[]> {
  const all = await pods();
  if (all.length !== names.length || new Set(all.map((p) => p.node)).size !== names.length)
    return [`there are pods on ${all.map((p) => p.node).join(', ')} only`];
  const service = (await world.server.kubectl(world.cluster, ['get', 'service', 'web', '-o', 'jsonpath={.spec.clusterIP}'])).trim();
  const bad: string[] = [];
  for (const from of all) {
    const ask = all.map((to) => `timeout 5 wget -qO /dev/null http://${to.ip}:8080/ || echo "no ${from.node} pod -> ${to.node} pod"`).join('; ');
    bad.push(await world.server.kubectl(world.cluster, ['exec', from.name, '--', 'sh', '-c', ask]));
    if ((await answersIn(world, from.name).catch(() => [])).length === 0) bad.push(`no ${from.node} pod -> service`);
    const addresses = [...all.map((to) => ({ name: `${to.node} pod`, at: `${to.ip}:8080` })), { name: 'service', at: service }];
    const asks = addresses.map((to) => `curl -sf -m 5 -o /dev/null http://${to.at}/ || echo "no ${from.node} -> ${to.name}"`).join('; ');
    bad.push(await world.lab.must(from.node, ['sh', '-c', asks]));
  }
  return bad.flatMap((text) => text.split('\n')).filter(Boolean);
}
const works = (what: string): Promise<true> =>
  until(what, 240_000, async () => {
    const nodes = await ready(world).catch(() => ({}));
    return Object.values(nodes).filter(Boolean).length === names.length && (await unreached().catch(() => ['no answer'])).length === 0 ? true : null;
  });

test('the cluster comes up through all four', async () => {
  const spec = await world.specFile({ bundles: ['demo'] });
  const applied = await world.server.strata(['apply', '-f', spec, '--yes'], { timeoutMs: long });
  expect([applied.code, applied.code === 0 ? '' : applied.stdout.slice(-3_000)]).toEqual([0, '']);
  await world.server.kubectl(world.cluster, ['scale', 'deployment/web', '--replicas', String(names.length)]);
  await world.server.kubectl(world.cluster, ['rollout', 'status', 'deployment/web', '--timeout', '120s'], 130_000);
  expect(await unreached()).toEqual([]);
  // kubelet's port, from the control plane through each firewall
  for (const p of await pods()) expect(await world.server.kubectl(world.cluster, ['logs', p.name, '--tail', '1'])).toBeDefined();
  // nobody was switched off
  expect(await world.lab.must('n1', ['nft', 'list', 'chain', 'inet', 'filter', 'input'])).toMatch(/policy drop/);
  expect(await world.lab.must('n2', ['iptables', '-S'])).toMatch(/-P INPUT DROP\n-P FORWARD DROP/);
  expect(await world.lab.must('n3', ['ufw', 'status', 'verbose'])).toMatch(/Status: active[\s\S]*deny \(incoming\), allow \(outgoing\), deny \(routed\)/);
  expect(await world.lab.must('n4', ['nft', 'list', 'table', 'inet', 'own'])).toMatch(/policy drop/);
}, long); // prettier-ignore

test('nothing is left to do, and a second apply changes no rule', async () => {
  const rules = await Promise.all(names.map((n) => ruleSets(world.lab, n)));
  const again = await world.server.strata(['apply', '-f', await world.specFile({ bundles: ['demo'] }), '--yes'], { timeoutMs: long });
  expect(again.code).toBe(0);
  // what the keeper notes when it first sees a program is no rule, and comes with its next look
  const own = (text: string): string[] => text.split('\n').filter((l) => l.includes('strata-') && !l.startsWith('/run/strata-seen-')).sort(); // prettier-ignore
  expect((await Promise.all(names.map((n) => ruleSets(world.lab, n)))).map(own)).toEqual(rules.map(own));
}, long); // prettier-ignore

test('it works again after each firewall was loaded anew and a machine was rebooted', async () => {
  const { lab } = world;
  await lab.act('reboot', 'n2');
  await lab.must('n1', ['systemctl', 'reload', 'nftables.service']);
  await lab.must('n3', ['ufw', 'reload']);
  await lab.must('n4', ['/usr/local/sbin/own-firewall']);
  await works('the cluster to work after the firewalls were loaded anew and n2 was rebooted');
  await lab.must('n1', ['systemctl', 'restart', 'nftables.service']);
  await lab.must('n2', ['systemctl', 'restart', 'netfilter-persistent.service']);
  await works('the cluster to work after the firewalls were restarted');
}, long); // prettier-ignore

test('after uninstall each rule set is byte for byte what it was', async () => {
  const gone = await world.server.strata(['uninstall', world.cluster, '--yes'], { timeoutMs: long });
  expect([gone.code, gone.code === 0 ? '' : gone.stdout.slice(-3_000)]).toEqual([0, '']);
  for (const name of names) expect([name, await ruleSets(world.lab, name)]).toEqual([name, before.get(name)]);
}, long); // prettier-ignore
