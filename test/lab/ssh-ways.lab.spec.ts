import type { ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { outcomes } from './support/cluster';
import { aptInstall } from './support/obstacles';
import { must, type Ran, until } from './support/program';
import { account, agentWith, type Login, logIn, newKey } from './support/ssh-login';
import { World } from './support/world';

/**
 * Twelve ways in which people let somebody into a machine. Each lets Strata in, or Strata names what is in the way and the remedy works;
 * and after the install, and after the uninstall, each account can still log in by the same way. Six machines, twice.
 */
const long = 15 * 60_000;
interface Way {
  way: string;
  node: string;
  round: 1 | 2;
  /** What the spec says under `ssh:`. */
  access: () => Record<string, unknown>;
  login: () => Login;
  /** What the first look says of it, and what is then done about it: the remedy that was named. */
  refused?: { says: RegExp; remedy: () => Promise<void> | void };
}
let world: World;
let spec: { spec: { nodes: { name: string; address: string; ssh: Record<string, unknown> }[] } };
let agent: ChildProcess | undefined;
const own = (...names: string[]): string => join(world.server.dir, 'user', ...names);
const password = (): string => world.lab.opsPasswordFile;
const key = (): string => world.lab.keyFile;
const plain = (): Record<string, unknown> => ({ keyFile: key() });
const socket = (): string => own('agent.sock');
const instead: Partial<Record<string, Way['access']>> = {}; // what a remedy changed

const ways: Way[] = [
  { way: 'root key', node: 'n1', round: 1, access: plain, login: () => ({ user: 'root', key: key() }) },
  { way: 'user + sudo password', node: 'n2', round: 1, access: () => ({ user: 'ops', keyFile: key(), sudoPasswordFrom: `file:${password()}` }),
    login: () => ({ user: 'ops', key: key(), sudo: { password: password() } }) },
  { way: 'password only', node: 'n3', round: 1, access: () => ({ user: 'ops', passwordFrom: `file:${password()}`, sudoPasswordFrom: 'same' }),
    login: () => ({ user: 'ops', answer: password(), sudo: { password: password() } }) },
  { way: 'bastion', node: 'n4', round: 1, access: () => ({}), // ~/.ssh/config names bastion and key, ~/.ssh/known_hosts both machines
    login: () => ({ user: 'root', key: key(), bastion: { address: world.lab.node('n1').address, user: 'root', key: key() } }) },
  { way: 'ssh agent', node: 'n5', round: 1, access: () => ({ agent: true }), login: () => ({ user: 'root', agent: socket() }) },
  { way: 'nologin', node: 'n6', round: 1, access: () => ({ user: 'ops', keyFile: key(), sudoPasswordFrom: `file:${password()}` }),
    login: () => ({ user: 'ops', key: key(), sudo: { password: password() } }),
    refused: { says: /blocker on n6: ops@\S+ has no usable login shell: This account is currently not available[\s\S]*chsh -s \/bin\/sh/,
      remedy: async () => void (await world.lab.must('n6', ['chsh', '-s', '/bin/sh', 'ops'])) } },
  { way: 'noisy banner', node: 'n1', round: 2, access: plain, login: () => ({ user: 'root', key: key() }) },
  { way: 'fish', node: 'n2', round: 2, access: () => ({ user: 'fisher', keyFile: key() }), login: () => ({ user: 'fisher', key: key() }) },
  { way: 'csh', node: 'n3', round: 2, access: () => ({ user: 'csher', keyFile: key() }), login: () => ({ user: 'csher', key: key() }) },
  { way: 'encrypted key', node: 'n4', round: 2, access: () => ({ keyFile: own('.ssh', 'locked'), passphraseFrom: 'env:LAB_PASSPHRASE' }),
    login: () => ({ user: 'root', key: own('.ssh', 'locked'), answer: own('passphrase') }) },
  { way: 'no SFTP', node: 'n5', round: 2, access: plain, login: () => ({ user: 'root', key: key() }) },
  { way: 'forced "please login as"', node: 'n6', round: 2, access: plain, login: () => ({ user: 'ubuntu', key: key() }),
    refused: { says: /blocker on n6: root@\S+ is closed; log in as "ubuntu"[\s\S]*set ssh\.user: ubuntu/,
      remedy: () => void (instead['forced "please login as"'] = () => ({ user: 'ubuntu', keyFile: key() })) } },
]; // prettier-ignore
const ofRound = (round: number): Way[] => ways.filter((w) => w.round === round);

beforeAll(async () => {
  world = await World.make({ nodes: 6, base: 'ready' });
  spec = parse(await world.lab.spec()) as typeof spec;
  mkdirSync(own('.ssh'), { recursive: true, mode: 0o700 });
  writeFileSync(own('passphrase'), 'open sesame\n', { mode: 0o600 });
  await Promise.all([behind('n4', 'n1'), agentOnly('n5'), shellOf('n2', 'fisher', 'fish'), shellOf('n3', 'csher', 'tcsh'), noShell('n6')]);
}, long);
afterAll(async () => {
  agent?.kill();
  await world?.dispose();
}, 300_000);

/** Reached through another node only: by ~/.ssh/config and ~/.ssh/known_hosts, as people write them. Another key of it has a passphrase. */
async function behind(name: string, bastion: string): Promise<void> {
  const { lab } = world;
  const locked = await newKey(own('.ssh'), 'locked', 'open sesame');
  await lab.must(name, ['sh', '-c', 'cat >> /root/.ssh/authorized_keys'], { input: readFileSync(`${locked}.pub`, 'utf8') });
  const hosts = [name, bastion].map((n) => lab.node(n).address);
  const keys = await Promise.all([name, bastion].map((n) => lab.must(n, ['cat', '/etc/ssh/ssh_host_ed25519_key.pub'])));
  writeFileSync(own('.ssh', 'known_hosts'), keys.map((k, i) => `${hosts[i]} ${k.split(' ').slice(0, 2).join(' ')}\n`).join(''));
  const config = `Host ${hosts[0]}\n  ProxyJump root@${hosts[1]}\n  IdentityFile ${key()}\nHost ${hosts[1]}\n  IdentityFile ${key()}\n`;
  writeFileSync(own('.ssh', 'config'), config, { mode: 0o600 });
}
/** The only key that opens it is in the agent of whoever types, and nowhere else. */
async function agentOnly(name: string): Promise<void> {
  const held = await newKey(own('.ssh'), 'held');
  await world.lab.must(name, ['sh', '-c', 'cat > /root/.ssh/authorized_keys'], { input: readFileSync(`${held}.pub`, 'utf8') });
  agent = await agentWith(held, socket());
  rmSync(held);
}
async function shellOf(name: string, user: string, shell: 'fish' | 'tcsh'): Promise<void> {
  await aptInstall(world.lab, name, [shell]);
  await account(world.lab, name, { user, shell });
}
const noShell = (name: string): Promise<string> => world.lab.must(name, ['chsh', '-s', '/usr/sbin/nologin', 'ops']);
/** A banner, a start file that talks, an umask that hides. */
const talks = `echo 'Authorized use only. $HOME \\ "quoted"' > /etc/issue.net
echo 'Banner /etc/issue.net' > /etc/ssh/sshd_config.d/awkward.conf
printf 'umask 077\\necho "Welcome, you have mail"; echo "and a warning" >&2\\n' | cat - /root/.bashrc > /root/.bashrc.new; mv /root/.bashrc.new /root/.bashrc
systemctl restart ssh`;
/** No SFTP, and a /tmp where nothing runs. */
const bare = `sed -i '/^Subsystem/d' /etc/ssh/sshd_config
mount -t tmpfs -o noexec,nosuid tmpfs /tmp
systemctl restart ssh`;
/** As cloud images have it: root's key only says who to be, and then sleeps. */
const forced = `sed -i 's|^ssh-|no-port-forwarding,no-agent-forwarding,no-X11-forwarding,command="echo '"'"'Please login as the user \\\\"ubuntu\\\\" rather than the user \\\\"root\\\\".'"'"';echo;sleep 10;exit 142" ssh-|' /root/.ssh/authorized_keys`;

async function secondRound(): Promise<void> {
  const { lab } = world;
  await account(lab, 'n6', { user: 'ubuntu' });
  await lab.must('n5', ['sh', '-c', 'cat > /root/.ssh/authorized_keys'], {
    input: (await must(['ssh-keygen', '-y', '-f', key()], { timeoutMs: 10_000 })).stdout,
  });
  const scripts = { n1: talks, n5: bare, n6: forced };
  await Promise.all(Object.entries(scripts).map(([n, input]) => lab.must(n, ['bash', '-e', '-s'], { input })));
  rmSync(own('.ssh', 'config')); // n4 is reached straight now
}
function strata(command: string, round: number, more: { args?: string[]; change?: Record<string, object>; passphrase?: string } = {}): Promise<Ran> {
  const nodes = spec.spec.nodes.map((n) => {
    const way = ofRound(round).find((w) => w.node === n.name)!;
    const hostKey = way.way === 'bastion' ? {} : { hostKey: n.ssh.hostKey };
    return { ...n, ssh: { ...hostKey, ...(instead[way.way] ?? way.access)(), ...more.change?.[n.name] } };
  });
  writeFileSync(own('cluster.yaml'), stringify({ ...spec, spec: { ...spec.spec, nodes } }), { mode: 0o600 });
  const env = { LAB_PASSPHRASE: more.passphrase ?? 'open sesame', SSH_AUTH_SOCK: socket() };
  return world.server.strata([command, '-f', own('cluster.yaml'), '--yes', ...(more.args ?? [])], { timeoutMs: long, env });
}
async function mustLogIn({ node, login }: Way): Promise<void> {
  const ran = await logIn(world.lab, node, login());
  expect([ran.code, ran.stdout.trim().split('\n').at(-1), ran.stderr]).toEqual([0, '0', expect.any(String)]);
}

describe.each([1, 2] as const)('round %i', (round) => {
  test(
    `${ofRound(round).map((w) => w.way).join(', ')}: what lets nobody in is named with its remedy, exit 3, and nothing was changed`,
    async () => {
      if (round === 2) await secondRound();
      const began = performance.now();
      const ran = await strata('precheck', round);
      const took = performance.now() - began;
      expect([ran.code, ran.stdout]).toEqual([3, expect.stringMatching(/nothing was changed/)]);
      for (const { node, refused } of ofRound(round))
        expect(ran.stdout).toMatch(refused ? refused.says : new RegExp(`^(?![\\s\\S]*blocker on ${node})`));
      console.log(`round ${round}: looked at in ${(took / 1000).toFixed(1)} s`);
      for (const { refused } of ofRound(round)) await refused?.remedy();
    },
    long,
  ); // prettier-ignore

  if (round === 2)
    test(
      'a wrong passphrase and a wrong password: said of each in one look, and never repeated',
      async () => {
        const change = { n2: { user: 'ops', sudoPasswordFrom: 'env:LAB_PASSPHRASE' } };
        const ran = await strata('precheck', round, { change, passphrase: 'close sesame' });
        expect(ran.code).toBe(3);
        expect(ran.stdout).toMatch(/blocker on n4: the private key for root@\S+ does not open with the passphrase that was given/);
        expect(ran.stdout).toMatch(/blocker on n2: ops@\S+ is not root, and sudo refused/);
        expect(ran.stdout).not.toMatch(/blocker on n[1356]/);
        expect(ran.stdout + ran.stderr).not.toContain('close sesame');
      },
      long,
    );

  test(
    `all get their agent and their sshd settings`,
    async () => {
      const ran = await strata('prepare', round, { args: ['--detach'] });
      expect([ran.code, ran.stderr]).toEqual([0, expect.any(String)]);
      const run = ran.stdout.trim();
      const steps = world.lab.nodes.flatMap((n) => [`${n.name}/agent.install`, `${n.name}/sshd.configure`]);
      const left = new Set(steps);
      let after = '0';
      await until('every node to have its agent and its sshd settings', long, async () => {
        const { messages, over } = await world.server.api.followEvents(run, { after, enough: 1 });
        after = messages.at(-1)?.id ?? after;
        for (const { event } of messages) if (event.kind === 'OrderSettled') left.delete(event.step ?? '');
        return over || left.size === 0;
      });
      await world.server.strata(['runs', 'cancel', run]); // the rest is tested elsewhere
      await world.server.strata(['runs', 'watch', run], { timeoutMs: long });
      const ended = outcomes(await world.server.api.eventsOf(run));
      expect(steps.filter((step) => !['changed', 'satisfied'].includes(ended.get(step) ?? '')).map((step) => `${step}: ${ended.get(step)}`)).toEqual([]);
      for (const { name } of world.lab.nodes) {
        const script = 'stat -c "%a %n" /usr/local/bin/stratad /etc/strata/agent.yaml /var/lib/strata';
        const modes = await world.lab.must(name, ['sh', '-c', script]);
        expect([name, modes]).toEqual([name, '755 /usr/local/bin/stratad\n600 /etc/strata/agent.yaml\n700 /var/lib/strata\n']);
        await world.lab.active(name, 'stratad');
      }
    },
    long,
  );

  test.each(ofRound(round))('after the install: $way logs in as before', mustLogIn, 120_000);

  test(
    'uninstall takes the agents away',
    async () => {
      await world.server.must(['uninstall', '--yes'], { timeoutMs: long });
      for (const { name } of world.lab.nodes) await world.lab.must(name, ['test', '!', '-e', '/usr/local/bin/stratad']);
    },
    long,
  );

  test.each(ofRound(round))('after the uninstall: $way logs in as before', mustLogIn, 120_000);
});
