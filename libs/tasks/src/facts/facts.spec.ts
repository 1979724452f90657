import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { capabilities, usableMemory } from '@strata/model';
import { type FactSource, gatherFacts, stableFacts } from './index';
import { parseListener, unitOfCgroup } from './network';

interface Recorded {
  files: Record<string, string | null>;
  lists: Record<string, string[]>;
  runs: Record<string, { code: number; stdout: string } | null>;
}
/** A bare node of the lab (systemd-nspawn on cgroup v1, without CAP_SYS_RESOURCE and CAP_SYS_TIME), recorded by wrapping a real source. */
const labNode = (): Recorded => JSON.parse(readFileSync(join(__dirname, 'fixtures/lab-node.json'), 'utf8')) as Recorded;
function replay(r: Recorded): FactSource {
  return {
    read: async (path) => Promise.resolve(r.files[path] ?? null),
    list: async (path) => Promise.resolve(r.lists[path] ?? []),
    run: async (argv) => Promise.resolve(r.runs[argv.join(' ')] ?? null),
  };
}

it('reads a recorded machine', async () => {
  const facts = await gatherFacts(replay(labNode()));
  expect(facts).toMatchObject({
    hostname: 'n1', init: 'systemd', container: 'systemd-nspawn', arch: 'x86_64', cpus: 2, cgroup: 'hybrid', packageManager: 'apt',
    os: { id: 'debian', version: '12', name: 'Debian GNU/Linux 12 (bookworm)' },
    canLowerOomScore: false,
    addresses: [{ interface: 'host0', address: '10.78.1.11', prefix: 24 }],
    routes: [{ destination: 'default', gateway: '10.78.1.1', interface: 'host0', metric: 0 }, { destination: '10.78.1.0/24', gateway: null }],
    dns: { servers: ['10.255.255.53'], search: [], managedBy: 'file', target: null },
    time: { service: null, synchronized: false, canSet: false, wallMs: 1795431550245 },
    packages: { interrupted: false, lockHolder: null, unattendedUpgrades: false },
    containerRuntimes: [], gpus: [], nofile: 20_000,
    kernelFeatures: { nftables: true, vxlan: true, fuse: true, overlay: true, br_netfilter: true, conntrack: true },
    hostKeys: ['SHA256:StDkvWMd4kkyi7BzRi/CjRKlqwtwtZw7ANZ1DfTOX1c', 'SHA256:z+KYisGW/Fxvzn++hwJjht3/L37nxIFpMUepxZrkxdo'],
  }); // prettier-ignore
  expect(facts.listeners).toContainEqual({ proto: 'tcp', address: '0.0.0.0', port: 22, pid: 95, process: 'sshd', unit: 'ssh.service' });
  expect(usableMemory(facts)).toBe(4 * 2 ** 30);
  expect(capabilities(facts)).toMatchObject({ container: true, cgroupV1: true, kernelNftables: true, lowerOomScore: false });
});

it('gathers only what is asked for', async () => {
  const asked: string[] = [];
  const source = replay(labNode());
  const facts = await gatherFacts({ ...source, run: async (argv) => (asked.push(argv[0] ?? ''), source.run(argv)) }, 'hostname', 'memory', 'addresses', 'mtu');
  expect(Object.keys(facts)).toEqual(['hostname', 'memory', 'addresses', 'mtu']);
  expect(asked).toEqual(['ip', 'ip']);
});

it('reads a machine on which nothing at all answers', async () => {
  const facts = await gatherFacts(replay({ files: {}, lists: {}, runs: {} }));
  expect(facts).toMatchObject({ hostname: '', cpus: 1, container: null, packageManager: null, containerRuntimes: [], memory: { total: 0, limit: null } });
});

it('takes no limit from a cgroup that has none', async () => {
  const node = labNode();
  node.files['/sys/fs/cgroup/memory/memory.limit_in_bytes'] = '9223372036854771712\n';
  node.files['/sys/fs/cgroup/memory/memory.stat'] = 'hierarchical_memory_limit 9223372036854771712\n';
  expect((await gatherFacts(replay(node), 'memory')).memory.limit).toBeNull();
  node.files['/sys/fs/cgroup/memory.max'] = '1073741824\n';
  expect((await gatherFacts(replay(node), 'memory')).memory.limit).toBe(2 ** 30);
});

it("asks for the servers behind systemd-resolved's stub", async () => {
  const node = labNode();
  node.runs['readlink /etc/resolv.conf'] = { code: 0, stdout: '../run/systemd/resolve/stub-resolv.conf\n' };
  node.files['/etc/resolv.conf'] = 'nameserver 127.0.0.53\nsearch .\n';
  node.files['/run/systemd/resolve/resolv.conf'] = 'nameserver 192.0.2.1\nnameserver 192.0.2.2\nsearch corp.example lab.example\n';
  expect((await gatherFacts(replay(node), 'dns')).dns).toEqual({
    servers: ['192.0.2.1', '192.0.2.2'],
    search: ['corp.example', 'lab.example'],
    managedBy: 'systemd-resolved',
    target: '../run/systemd/resolve/stub-resolv.conf',
  });
});

it('names who holds the lock of dpkg, by process and unit', async () => {
  const node = labNode();
  node.files['/proc/locks'] = '1: POSIX  ADVISORY  WRITE 812 00:61:1129104 0 EOF\n2: FLOCK  ADVISORY  WRITE 5 00:61:1129105 0 EOF\n';
  node.files['/proc/812/comm'] = 'apt-get\n';
  node.files['/proc/812/cgroup'] = '0::/system.slice/apt-daily-upgrade.service\n';
  node.files['/etc/apt/apt.conf.d/20auto-upgrades'] = 'APT::Periodic::Unattended-Upgrade "1";\n';
  node.runs['dpkg-query -W -f ${db:Status-Abbrev}|${Package}\\n'] = { code: 0, stdout: 'iU |chrony\nii |dash\nrc |ntp\n' };
  expect((await gatherFacts(replay(node), 'packages')).packages).toEqual({
    interrupted: false, // dpkg works on it
    lockHolder: 'apt-get (pid 812, apt-daily-upgrade.service)',
    unattendedUpgrades: true,
  });
});

it('calls dpkg interrupted while a package is half done or its notes are there, and nobody works on it', async () => {
  const node = labNode();
  const query = 'dpkg-query -W -f ${db:Status-Abbrev}|${Package}\\n';
  const interrupted = async (): Promise<boolean> => (await gatherFacts(replay(node), 'packages')).packages.interrupted;
  for (const [table, is] of [['ii |dash\nrc |ntp\n', false], ['iU |chrony\n', true], ['iF |chrony\n', true], ['iHR|chrony\n', true], ['it |man-db\n', true]] as const) {
    node.runs[query] = { code: 0, stdout: table };
    expect([table, await interrupted()]).toEqual([table, is]);
  }
  node.runs[query] = { code: 0, stdout: 'ii |dash\n' };
  node.lists['/var/lib/dpkg/updates'] = ['0001', 'tmp.i'];
  expect(await interrupted()).toBe(true);
}); // prettier-ignore

describe('container runtimes', () => {
  const show =
    'systemctl show -p Id,LoadState,FragmentPath -- docker.service snap.docker.dockerd.service containerd.service podman.socket k3s.service k3s-agent.service snap.microk8s.daemon-containerd.service crio.service strata-containerd.service';
  const dpkg = 'dpkg-query -W -f ${db:Status-Abbrev}|${Package}|${Version}\\n docker-ce docker.io moby-engine containerd.io containerd podman k3s cri-o';
  const unit = '/lib/systemd/system/containerd.service';
  it('are found by package, unit and socket', async () => {
    const node = labNode();
    node.runs[dpkg] = { code: 1, stdout: 'ii |docker.io|20.10.24\nii |containerd|1.6.20~ds1-1\nun |podman|\n' };
    node.runs[show] = {
      code: 0,
      stdout: `Id=docker.service\nLoadState=loaded\nFragmentPath=/lib/systemd/system/docker.service\n\nId=containerd.service\nLoadState=loaded\nFragmentPath=${unit}\n`,
    };
    node.runs['test -S /run/containerd/containerd.sock'] = { code: 0, stdout: '' };
    node.files[unit] = '[Unit]\nDescription=containerd container runtime\n';
    expect((await gatherFacts(replay(node), 'containerRuntimes')).containerRuntimes).toEqual([
      { kind: 'docker', version: '20.10.24', package: 'docker.io', unit: 'docker.service', socket: null, ours: false },
      {
        kind: 'containerd',
        version: '1.6.20~ds1-1',
        package: 'containerd',
        unit: 'containerd.service',
        socket: '/run/containerd/containerd.sock',
        ours: false,
        cri: false,
      },
    ]);
  });
  it('are ours if we wrote their unit', async () => {
    const node = labNode();
    node.runs[show] = { code: 0, stdout: 'Id=containerd.service\nLoadState=loaded\nFragmentPath=/etc/systemd/system/containerd.service\n' };
    node.files['/etc/systemd/system/containerd.service'] = '# Written by Strata\n[Unit]\n';
    expect((await gatherFacts(replay(node), 'containerRuntimes')).containerRuntimes).toMatchObject([{ kind: 'containerd', ours: true }]);
  });
});

it.each([
  [
    'udp   UNCONN 0      0      127.0.0.1%lo:323 0.0.0.0:* users:(("chronyd",pid=7,fd=5))',
    { proto: 'udp', address: '127.0.0.1', port: 323, pid: 7, process: 'chronyd' },
  ],
  ['tcp   LISTEN 0      4096   [::ffff:10.0.0.1]:6443 *:*', { proto: 'tcp', address: '::ffff:10.0.0.1', port: 6443, pid: null, process: null }],
  ['Netid State', null],
])('reads the listener %s', (line, expected) => expect(parseListener(line)).toEqual(expected));

it('finds the unit of a process under both versions of cgroups', () => {
  expect(unitOfCgroup('0::/system.slice/nginx.service\n')).toBe('nginx.service');
  expect(unitOfCgroup('3:cpu:/kubepods/x\n1:name=systemd:/user.slice/user-0.slice/session-4.scope\n')).toBe('session-4.scope');
  expect(unitOfCgroup('1:name=systemd:/\n')).toBeNull();
});

it('leaves out of a digest what moves all the time', async () => {
  const [a, b] = [labNode(), labNode()];
  b.runs['date +%s.%N'] = { code: 0, stdout: '1800000000.5\n' };
  b.runs['ss -H -n -l -t -u -p'] = { code: 0, stdout: '' };
  b.runs['ip -j -4 route'] = { code: 0, stdout: (b.runs['ip -j -4 route']?.stdout ?? '').replace(/\]\n$/, ',{"dst":"10.244.1.0/24","dev":"cni0"}]') };
  const [x, y] = [await gatherFacts(replay(a)), await gatherFacts(replay(b))];
  expect(y.routes).toHaveLength(3);
  expect(stableFacts(x)).toEqual(stableFacts(y));
  expect(stableFacts({ ...x, bootId: 'another' })).not.toEqual(stableFacts(x));
});
