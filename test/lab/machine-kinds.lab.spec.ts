import { parse, stringify } from 'yaml';
import { ready, webPods } from './support/cluster';
import { aptInstall } from './support/obstacles';
import { type Ran, until } from './support/program';
import { differences, type Snapshot, snapshot } from './support/snapshot';
import { World } from './support/world';

/**
 * Machines that are not the lab's: n1 asks systemd-resolved's stub; n2 was made by cloud-init, which writes /etc/hosts anew at each boot
 * (`manage_etc_hosts: true` in the user's data), and has a search domain under which any name resolves. Data goes to a folder of the operator's choice.
 */
const long = 20 * 60_000;
const nodes = ['n1', 'n2'];
const before = new Map<string, Snapshot>();
let world: World;
let ran: Ran;

const script = (node: string, text: string, timeoutMs = 300_000): Promise<string> => world.lab.must(node, ['bash', '-e', '-s'], { input: text, timeoutMs });

beforeAll(async () => {
  world = await World.make({ nodes: 2, base: 'ready' });
  const { lab } = world;
  const own = lab.node('n1').address;
  const servers = (await lab.must('n1', ['cat', '/etc/resolv.conf'])).match(/\d+\.\d+\.\d+\.\d+/g) ?? [];
  await Promise.all([aptInstall(lab, 'n1', ['systemd-resolved', 'dnsmasq-base']), aptInstall(lab, 'n2', ['cloud-init'])]);
  await script(
    'n1',
    `mkdir -p /etc/systemd/resolved.conf.d
printf '[Resolve]\\nDNS=${servers.join(' ')}\\n' > /etc/systemd/resolved.conf.d/lab.conf
ln -sf ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf
systemctl restart systemd-resolved
systemd-run --unit wildcard dnsmasq -k -C /dev/null --bind-interfaces --listen-address=${own} --except-interface=lo --address=/any.example/192.0.2.7 --no-resolv ${servers.map((s) => `--server=${s}`).join(' ')}`,
  );
  await script(
    'n2',
    `printf 'nameserver ${own}\\nsearch any.example\\n' > /etc/resolv.conf
mkdir -p /var/lib/cloud/seed/nocloud
printf 'instance-id: lab-n2\\nlocal-hostname: n2\\n' > /var/lib/cloud/seed/nocloud/meta-data
printf '#cloud-config\\nmanage_etc_hosts: true\\nssh_deletekeys: false\\ndisable_root: false\\nusers: []\\n' > /var/lib/cloud/seed/nocloud/user-data
printf 'datasource_list: [NoCloud]\\nnetwork: { config: disabled }\\n' > /etc/cloud/cloud.cfg.d/95-lab.cfg
rm -f /etc/cloud/cloud-init.disabled`,
  );
  await lab.act('reboot', 'n2');
  await script('n2', 'timeout 120 cloud-init status --wait || true; grep -q cloud /etc/hosts');
  for (const name of nodes) before.set(name, await snapshot(lab, name));
  ran = await world.server.strata(['apply', '-f', await specFile(), '--yes'], { timeoutMs: long });
}, long);
afterAll(() => world?.dispose(), 300_000);

const specFile = (): Promise<string> =>
  world.specFile({ bundles: ['demo'] }, (text) => {
    const all = parse(text) as { spec: { native?: object } };
    all.spec.native = { ...all.spec.native, dataDir: '/data' };
    return stringify(all, { lineWidth: 0 });
  });
const kubeletSays = async (node: string): Promise<string> => (await world.lab.must(node, ['grep', '^resolvConf:', '/var/lib/kubelet/config.yaml'])).trim();

test(
  'the cluster comes up, and the search domain is named',
  async () => {
    expect([ran.code, ran.code === 0 ? '' : ran.stdout.slice(-3_000) + ran.stderr]).toEqual([0, '']);
    expect(ran.stdout).toMatch(/under the search domain any\.example any name resolves/);
    expect(await ready(world)).toEqual({ n1: true, n2: true });
  },
  long,
);

test(
  "pods beside a stub ask what the stub asks, each node by itself, and the cluster's DNS does not ask itself in a circle",
  async () => {
    expect(await kubeletSays('n1')).toBe('resolvConf: /run/systemd/resolve/resolv.conf');
    expect(await kubeletSays('n2')).toBe('resolvConf: /etc/kubernetes/strata/resolv.conf');
    const { items } = JSON.parse(await world.server.kubectl(world.cluster, ['get', 'pods', '-n', 'kube-system', '-l', 'k8s-app=kube-dns', '-o', 'json'])) as {
      items: { metadata: { name: string }; status: { containerStatuses: { restartCount: number }[] } }[];
    };
    expect(items.length).toBeGreaterThan(0);
    for (const { metadata, status } of items) {
      expect([metadata.name, status.containerStatuses.map((c) => c.restartCount)]).toEqual([metadata.name, [0]]);
      expect(await world.server.kubectl(world.cluster, ['logs', '-n', 'kube-system', metadata.name])).not.toMatch(/Loop|plugin\/loop/);
    }
  },
  long,
);

test(
  'pods do without the search domain under which any name resolves',
  async () => {
    expect((await world.lab.must('n2', ['getent', 'ahostsv4', 'no-such-name'])).trim()).toMatch(/192\.0\.2\.7/); // the machine itself is as harmful as that
    const pod = (await webPods(world)).get('n2') ?? '';
    const text = await world.server.kubectl(world.cluster, ['exec', pod, '--', 'cat', '/etc/resolv.conf']);
    expect(text).toMatch(/^search default\.svc\.cluster\.local/m);
    expect(text).not.toContain('any.example');
  },
  long,
);

test(
  'after a reboot cloud-init has written /etc/hosts anew, our part is in it, and the node comes back',
  async () => {
    await script('n2', 'rm /etc/hosts');
    await world.lab.act('reboot', 'n2');
    await script('n2', 'timeout 120 cloud-init status --wait || true; grep -q cloud /etc/hosts');
    expect(await world.lab.must('n2', ['cat', '/etc/hosts'])).toContain(`api.${world.cluster}.strata.internal`);
    await until('n2 to be Ready', 180_000, async () => (await ready(world)).n2 === true);
  },
  long,
);

test(
  'etcd is on the disk for data, also after a reboot; the places that are file systems of their own stay where they are',
  async () => {
    await world.lab.act('reboot', 'n1');
    await until('n1 to be Ready', 180_000, async () => (await ready(world).catch(() => null))?.n1 === true);
    expect(await world.lab.must('n1', ['ls', '/data/etcd/member'])).toBe('snap\nwal\n');
    expect(await world.lab.must('n1', ['ls', '/data'])).toBe('etcd\n'); // in the lab the two others are mount points
    expect(await world.lab.must('n1', ['findmnt', '-no', 'SOURCE', '/var/lib/etcd'])).toContain('[/data/etcd]');
  },
  long,
);

test(
  'after uninstall each machine is what it was',
  async () => {
    await world.server.must(['uninstall', world.cluster, '--yes'], { timeoutMs: long });
    // what the reboots themselves left behind: of cloud-init, of the file that was taken away, of the test's own resolver
    const other = /\/(etc\/hosts|var\/(lib|log)\/cloud|var\/log\/cloud-init|run\/cloud-init)|^. unit \| cloud-|dnsmasq|wildcard\.service|tcp_fastopen_key/;
    for (const name of nodes)
      expect([name, differences(before.get(name) ?? [], await snapshot(world.lab, name)).filter((l) => !other.test(l))]).toEqual([name, []]);
  },
  long,
);
