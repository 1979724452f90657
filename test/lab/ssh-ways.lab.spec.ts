import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { outcomes } from './support/cluster';
import { aptInstall } from './support/obstacles';
import { must, type Ran, until } from './support/program';
import { World } from './support/world';

/** Machines as people have them: every one of these lets Strata in by SSH, or Strata says why not. */
const long = 15 * 60_000;
interface Spec {
  spec: { nodes: { name: string; address: string; ssh: Record<string, unknown> }[] };
}
let world: World;
let spec: Spec;
const own = (...names: string[]): string => join(world.server.dir, 'user', ...names);

beforeAll(async () => {
  world = await World.make({ nodes: 5, base: 'ready' });
  const { lab } = world;
  mkdirSync(own('.ssh'), { recursive: true, mode: 0o700 });
  spec = parse(await lab.spec()) as Spec;
  await Promise.all([awkward('n1'), shell('n2', 'fish'), shell('n3', 'tcsh'), behind('n4', 'n1'), shell('n5', 'nologin')]);
  const password = `file:${lab.opsPasswordFile}`;
  access('n2', { user: 'ops', sudoPasswordFrom: password });
  access('n3', { user: 'ops', passwordFrom: password, sudoPasswordFrom: 'same', keyFile: undefined });
  access('n4', { keyFile: undefined, passphraseFrom: 'env:LAB_PASSPHRASE', hostKey: undefined });
  access('n5', { user: 'ops', sudoPasswordFrom: password });
}, long);
afterAll(() => world?.dispose(), 300_000);

function access(name: string, change: Record<string, unknown>): void {
  const node = spec.spec.nodes.find((n) => n.name === name);
  if (!node) throw new Error(`the spec has no ${name}`);
  node.ssh = Object.fromEntries(Object.entries({ ...node.ssh, ...change }).filter(([, v]) => v !== undefined));
}
/** A banner, a start file that talks, an umask that hides, no SFTP, a /tmp where nothing runs. */
async function awkward(name: string): Promise<void> {
  const script = `echo 'Authorized use only. $HOME \\ "quoted"' > /etc/issue.net
echo 'Banner /etc/issue.net' > /etc/ssh/sshd_config.d/awkward.conf
sed -i '/^Subsystem/d' /etc/ssh/sshd_config
printf 'umask 077\\necho "Welcome, you have mail"; echo "and a warning" >&2\\n' | cat - /root/.bashrc > /root/.bashrc.new; mv /root/.bashrc.new /root/.bashrc
mount -t tmpfs -o noexec,nosuid tmpfs /tmp
systemctl restart ssh`;
  await world.lab.must(name, ['bash', '-e', '-s'], { input: script });
}
async function shell(name: string, program: 'fish' | 'tcsh' | 'nologin'): Promise<void> {
  if (program !== 'nologin') await aptInstall(world.lab, name, [program]);
  await world.lab.must(name, ['sh', '-ec', 'chsh -s "$(command -v "$1" || echo /usr/sbin/nologin)" ops', 'sh', program]);
}
/** Only a key of its own that has a passphrase opens it, through another node: by ~/.ssh/config and ~/.ssh/known_hosts, as people write them. */
async function behind(name: string, bastion: string): Promise<void> {
  const { lab } = world;
  await must(['ssh-keygen', '-q', '-t', 'ed25519', '-a', '8', '-N', 'open sesame', '-C', '', '-f', own('.ssh', 'locked')], { timeoutMs: 30_000 });
  await lab.must(name, ['sh', '-c', 'cat > /root/.ssh/authorized_keys'], { input: readFileSync(own('.ssh', 'locked.pub'), 'utf8') });
  const hosts = [name, bastion].map((n) => lab.node(n).address);
  const keys = await Promise.all([name, bastion].map((n) => lab.must(n, ['cat', '/etc/ssh/ssh_host_ed25519_key.pub'])));
  writeFileSync(own('.ssh', 'known_hosts'), keys.map((key, i) => `${hosts[i]} ${key.split(' ').slice(0, 2).join(' ')}\n`).join(''));
  const config = `Host ${hosts[0]}\n  ProxyJump root@${hosts[1]}\n  IdentityFile ${own('.ssh', 'locked')}\nHost ${hosts[1]}\n  IdentityFile ${lab.keyFile}\n`;
  writeFileSync(own('.ssh', 'config'), config, { mode: 0o600 });
}
function strata(command: string, more: readonly string[] = [], passphrase = 'open sesame'): Promise<Ran> {
  writeFileSync(own('cluster.yaml'), stringify(spec), { mode: 0o600 });
  return world.server.strata([command, '-f', own('cluster.yaml'), '--yes', ...more], { timeoutMs: long, env: { LAB_PASSPHRASE: passphrase } });
}

test(
  'no login shell, a wrong passphrase, a wrong sudo password: said of each in one run, exit 3',
  async () => {
    const right = `file:${world.lab.opsPasswordFile}`;
    access('n2', { sudoPasswordFrom: 'env:LAB_PASSPHRASE' });
    const ran = await strata('precheck', [], 'close sesame');
    access('n2', { sudoPasswordFrom: right });
    expect([ran.code, ran.stdout]).toEqual([3, expect.stringMatching(/nothing was changed/)]);
    expect(ran.stdout).toMatch(/blocker on n5: ops@\S+ has no usable login shell: This account is currently not available/);
    expect(ran.stdout).toMatch(/blocker on n4: the private key for root@\S+ does not open with the passphrase that was given/);
    expect(ran.stdout).toMatch(/blocker on n2: ops@\S+ is not root, and sudo refused/);
    expect(ran.stdout).not.toMatch(/blocker on n[13]/);
    expect(ran.stdout + ran.stderr).not.toContain('close sesame');
  },
  long,
);

test(
  'fish, csh, a talking start file, no SFTP, noexec /tmp, a bastion, a locked key: all get their agent',
  async () => {
    await world.lab.must('n5', ['chsh', '-s', '/bin/sh', 'ops']);
    const run = (await strata('prepare', ['--detach'])).stdout.trim();
    const agents = world.lab.nodes.map((n) => `${n.name}/agent.install`);
    const left = new Set(agents);
    let after = '0';
    await until('every node to have its agent', long, async () => {
      const { messages, over } = await world.server.api.followEvents(run, { after, enough: 1 });
      after = messages.at(-1)?.id ?? after;
      for (const { event } of messages) if (event.kind === 'OrderSettled') left.delete(event.step ?? '');
      return over || left.size === 0;
    });
    await world.server.strata(['runs', 'cancel', run]); // the rest is tested elsewhere
    await world.server.strata(['runs', 'watch', run], { timeoutMs: long });
    const ended = outcomes(await world.server.api.eventsOf(run));
    expect(agents.map((step) => `${step}: ${ended.get(step)}`)).toEqual(agents.map((step) => `${step}: changed`));
    for (const { name } of world.lab.nodes) {
      const modes = await world.lab.must(name, [
        'sh',
        '-c',
        'stat -c "%a %n" /usr/local/bin/stratad /etc/strata/agent.yaml /var/lib/strata; systemctl is-active stratad',
      ]);
      expect([name, modes]).toEqual([name, '755 /usr/local/bin/stratad\n600 /etc/strata/agent.yaml\n700 /var/lib/strata\nactive\n']);
    }
    expect(JSON.parse(await world.server.must(['node', 'list', '-o', 'json']))).toEqual(
      world.lab.nodes.map((n) => expect.objectContaining({ name: n.name, online: true }) as unknown),
    );
  },
  long,
);
