import { answersIn, ready, webPods } from './support/cluster';
import { longestPause, lookAtShop, openShop, type Shop } from './support/docker';
import { aptInstall } from './support/obstacles';
import { type Ran, until } from './support/program';
import { differences, type Snapshot, snapshot } from './support/snapshot';
import { World } from './support/world';

/** Machines on which somebody else's software runs: it is named, it is never removed, and where the policy lets it stay it never stops. */
const minutes = 60_000;
let world: World;
const before = new Map<string, Snapshot>();
let opened: Shop;

/** A package with a unit, as an old cluster leaves it behind: there is no registry of real ones. */
const oldKubelet = String.raw`
set -e
d=/var/tmp/kubelet; mkdir -p $d/DEBIAN $d/lib/systemd/system
printf 'Package: kubelet\nVersion: 1.28.2-1.1\nArchitecture: amd64\nMaintainer: nobody <nobody@example.org>\nDescription: stands for an old kubelet\n' > $d/DEBIAN/control
printf '[Service]\nExecStart=/usr/bin/kubelet\n' > $d/lib/systemd/system/kubelet.service
dpkg-deb --build $d /var/tmp/kubelet.deb > /dev/null && dpkg -i /var/tmp/kubelet.deb > /dev/null
mkdir -p /etc/kubernetes/manifests /var/lib/etcd/member && echo theirs | tee /etc/kubernetes/manifests/etcd.yaml > /var/lib/etcd/member/db
systemctl daemon-reload
`;

/** n2 is Docker's; n3 has a distribution's containerd, podman, and what an old cluster left. */
beforeAll(async () => {
  world = await World.make({ nodes: 3, base: 'ready' });
  const { lab } = world;
  await Promise.all([openShop(lab, 'n2'), aptInstall(lab, 'n3', ['containerd', 'podman']).then(() => lab.must('n3', ['sh', '-s'], { input: oldKubelet }))]);
  await until('the shop to be open', minutes, async () => (await lookAtShop(lab, 'n2')).served.length > 1);
  opened = await lookAtShop(lab, 'n2');
  for (const { name } of lab.nodes) before.set(name, await snapshot(lab, name));
}, 15 * minutes);
afterAll(() => world?.dispose(), 5 * minutes);

const adopting = (text: string): string => `${text.trimEnd()}\n  native: { containerd: { foreign: adopt } }\n`;
const apply = async (file: string): Promise<Ran> => world.server.strata(['apply', '-f', file, '--yes'], { timeoutMs: 10 * minutes });
async function asBefore(names: readonly string[]): Promise<void> {
  for (const name of names) expect([name, ...differences(before.get(name) ?? [], await snapshot(world.lab, name))]).toEqual([name]);
}
/** The shop is what it was: the same processes since the same moment, and its client was served all the time. */
async function neverStopped(): Promise<Shop> {
  const now = await lookAtShop(world.lab, 'n2');
  expect([now.containers, now.daemons]).toEqual([opened.containers, opened.daemons]);
  expect(now.served.length).toBeGreaterThan(opened.served.length);
  expect(longestPause(opened, now)).toBeLessThan(10);
  const answer = await fetch(`http://${world.lab.node('n2').address}:8088/`, { signal: AbortSignal.timeout(20_000) });
  expect(await answer.text()).toBe('open\n');
  return now;
}

describe('by default', () => {
  let said: string;
  let ran: Ran;
  beforeAll(async () => {
    ran = await apply(await world.specFile());
    said = `${ran.stdout}\n${ran.stderr}`;
  }, 10 * minutes);
  const about = (node: string): string => said.split('\n').filter((line) => new RegExp(`\\b${node}\\b`).test(line)).join('\n'); // prettier-ignore

  test(
    'they are refused in one run, and nothing is changed',
    async () => {
      expect([ran.code, said]).toEqual([3, expect.stringMatching(/nothing was changed/)]);
      await asBefore(['n1', 'n2', 'n3']);
      await neverStopped();
    },
    10 * minutes,
  );
  test.each([
    ['n2', 'Docker: package, unit, socket', /docker, 20\.10\S+, package docker\.io, unit docker\.service, socket \/run\/docker\.sock/],
    ['n2', "Docker's containerd", /containerd, 1\.6\S+, package containerd, unit containerd\.service, socket \/run\/containerd\/containerd\.sock/],
    ['n3', "a distribution's containerd", /containerd, 1\.6\S+, package containerd, unit containerd\.service/],
    ['n3', 'podman', /podman, 4\S+, package podman/],
    ['n3', 'an old Kubernetes: package, unit, folders', /package kubelet 1\.28\.2-1\.1; unit kubelet\.service; files in \/etc\/kubernetes, \/var\/lib\/etcd/],
  ])('%s: %s', (node, _what, says) => {
    expect(about(node)).toMatch(says);
  });
  test('each with what its owner can do', () => {
    for (const says of [/foreign: adopt/, /apt-get purge docker\.io/, /kubeadm reset/, /apt-get purge kubelet/, /Strata never removes it/])
      expect(said).toMatch(says);
  });
});

describe('with foreign: adopt', () => {
  test(
    'an old Kubernetes is refused all the same',
    async () => {
      const ran = await apply(await world.specFile({}, adopting));
      expect([ran.code, ran.stdout + ran.stderr]).toEqual([3, expect.stringMatching(/kubelet 1\.28\.2-1\.1/)]);
    },
    10 * minutes,
  );

  test(
    'the cluster works beside Docker, which never stops',
    async () => {
      const ran = await apply(await world.specFile({ only: ['n1', 'n2'], bundles: ['demo'] }, adopting));
      expect([ran.code, ran.code === 0 ? '' : ran.stdout.slice(-4_000)]).toEqual([0, '']);
      expect(await ready(world)).toEqual({ n1: true, n2: true });
      const pods = await webPods(world);
      expect([...pods.keys()].sort()).toEqual(['n1', 'n2']);
      for (const pod of pods.values()) expect(await answersIn(world, pod)).toEqual(['n1', 'n2']); // by name, through the service, to both machines
      await neverStopped();
    },
    15 * minutes,
  );

  test(
    'each containerd has its own: process, socket, runc',
    async () => {
      const { lab } = world;
      expect(await lab.must('n2', ['systemctl', 'is-active', 'containerd', 'docker', 'strata-containerd', 'kubelet'])).toBe('active\n'.repeat(4));
      expect(await lab.must('n2', ['ctr', 'namespaces', 'list', '-q'])).toBe('moby\n');
      expect(await lab.must('n2', ['docker', 'info', '--format', '{{.RuncCommit.ID}}'])).not.toBe('');
      const started = await lab.must('n2', ['docker', 'run', '--rm', '--network', 'shop', 'shop:1', '/bin/busybox', 'wget', '-q', '-O-', 'http://web/']);
      expect(started).toBe('open\n');
      expect((await lab.exec('n1', ['systemctl', 'cat', 'strata-containerd'])).code).not.toBe(0); // where nobody else is, everything is where people look for it
      expect(await lab.must('n2', ['bash', '-c', 'command -v runc containerd ctr'])).toBe('/usr/sbin/runc\n/usr/bin/containerd\n/usr/bin/ctr\n'); // theirs are what Docker finds
    },
    5 * minutes,
  );

  test('nothing upgrades by itself what kubelet stands on', async () => {
    const held = await world.lab.must('n2', ['apt-config', 'dump', 'Unattended-Upgrade::Package-Blacklist']);
    for (const name of ['conntrack', 'ethtool', 'nftables', 'socat']) expect(held).toContain(`"${name}$"`);
  });

  test(
    'applying again changes nothing',
    async () => {
      const ran = await apply(await world.specFile({ only: ['n1', 'n2'], bundles: ['demo'] }, adopting));
      expect([ran.code, ran.stdout]).toEqual([0, expect.stringMatching(/\b0 changed\b/)]);
    },
    10 * minutes,
  );

  test(
    'after uninstall Docker still runs, and the machine is as it was',
    async () => {
      const ran = await world.server.strata(['uninstall', world.cluster, '--yes'], { timeoutMs: 10 * minutes });
      expect([ran.code, ran.code === 0 ? '' : ran.stdout.slice(-4_000)]).toEqual([0, '']);
      await neverStopped();
      await asBefore(['n1', 'n2', 'n3']);
    },
    15 * minutes,
  );
});
