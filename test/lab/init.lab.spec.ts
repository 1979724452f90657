import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { World } from './support/world';

/** `strata init --ssh`: a spec from what machines are. It is good as it is printed: validate and plan take it, and nothing was changed or kept. */
const long = 10 * 60_000;
interface Spec {
  spec: { network: Record<string, string>; nodes: { name: string; address: string; role: string; ssh: Record<string, unknown> }[] };
}
let world: World;
const own = (name: string): string => join(world.server.dir, 'user', name);

beforeAll(async () => {
  world = await World.make({ nodes: 2, base: 'ready' });
  mkdirSync(join(world.server.dir, 'user'), { recursive: true, mode: 0o700 });
  // a second network card, and behind it the very range that pods usually get
  const card = 'ip link add lan1 type veth peer name lan1-end && ip link set lan1 up && ip link set lan1-end up && ip addr add 192.168.77.5/24 dev lan1 && ip route add 10.244.8.0/24 via 192.168.77.1';
  await world.lab.must('n2', ['sh', '-ec', card]);
}, long); // prettier-ignore
afterAll(() => world?.dispose(), 300_000);

const init = (...more: string[]): ReturnType<World['server']['strata']> => {
  const hosts = world.lab.nodes.map((n) => `root@${n.address}`);
  const args = ['init', '--name', world.cluster, '--distribution', 'kubernetes', '--ssh', ...hosts, '--key-file', world.lab.keyFile, ...more];
  return world.server.strata(args, { timeoutMs: long });
};

test(
  'a host key that nobody knows is shown and not taken',
  async () => {
    const ran = await init();
    expect([ran.code, ran.stdout]).toEqual([3, '']);
    for (const n of world.lab.nodes) expect(ran.stderr).toContain(n.hostKey);
    expect(ran.stderr).toMatch(/ssh-keygen -lf[\s\S]*--accept-new-host-key/);
  },
  long,
);
test(
  'names, addresses, host keys and free ranges are filled in; validate and plan take it without a change',
  async () => {
    const ran = await init('--accept-new-host-key');
    expect([ran.code, ran.stderr]).toEqual([0, '']);
    writeFileSync(own('cluster.yaml'), ran.stdout, { mode: 0o600 });
    const { spec } = parse(ran.stdout) as Spec;
    expect(spec.nodes.map(({ name, address, role, ssh }) => ({ name, address, role, hostKey: ssh.hostKey }))).toEqual(
      world.lab.nodes.map((n, i) => ({ name: n.name, address: n.address, role: i === 0 ? 'control-plane' : 'worker', hostKey: n.hostKey })),
    );
    expect(spec.network).toEqual({ podCidr: '10.42.0.0/16', serviceCidr: '10.96.0.0/12' });
    expect(ran.stdout).toContain('it also has 192.168.77.5 (lan1)');
    expect(ran.stdout).toMatch(/# n1: Debian GNU\/Linux .*, x86_64, kernel \S+, inside systemd-nspawn; \d+ CPUs, .* GB of memory/);
    expect(await world.server.must(['cluster', 'list', '-o', 'json'])).toBe('[]\n');

    expect(await world.server.must(['validate', '-f', own('cluster.yaml')])).toContain('is good');
    const plan = await world.server.strata(['plan', '-f', own('cluster.yaml'), '--detailed-exitcode'], { timeoutMs: long });
    expect([plan.code, plan.stdout + plan.stderr]).toEqual([2, expect.stringContaining('agent.install')]);
    for (const { name } of world.lab.nodes) await world.lab.must(name, ['test', '!', '-e', '/usr/local/bin/stratad']);
  },
  long,
);
