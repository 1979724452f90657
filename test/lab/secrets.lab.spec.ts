import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { keyPair } from '@strata/host-ssh/testing';
import { leaksIn, leaksInFiles, leaksInRedis, leaksInTables, readableByAll } from '../scenario/support/leaks';
import { openRedis } from '../scenario/support/redis';
import { Sql } from '../scenario/support/sql';
import { newRun } from './support/cluster';
import { must, type Ran } from './support/program';
import { World } from './support/world';

/** An install with every kind of secret there is: none is where others could see it afterwards, and none was while it went on. */
const long = 20 * 60_000;
const canaries = new Map<string, string>();
const seen = new Set<string>();
let world: World;
let applied: Ran;
let timer: NodeJS.Timeout | undefined;

/** The arguments of every process of this machine, those in the nodes included, each once. */
function lookAtArguments(): void {
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    try {
      seen.add(readFileSync(`/proc/${pid}/cmdline`, 'latin1'));
    } catch {
      // it ended meanwhile
    }
  }
}
/** A line of a PEM or OpenSSH key that holds none of its header. */
const lineOf = (pem: string): string => pem.split('\n').filter((l) => /^[A-Za-z0-9+/]{64}$/.test(l)).at(-1) ?? pem.split('\n')[1] ?? ''; // prettier-ignore
const inNode = (node: string, path: string): Promise<string> => world.lab.must(node, ['cat', path]);
const own = (name: string): string => join(world.server.dir, 'user', name);

/** n1 comes by SSH: a user without rights, a locked key, sudo by password. n2 comes by a join command. */
beforeAll(async () => {
  world = await World.make({ nodes: 2, base: 'ready' }, { settings: { logLevel: 'debug' } });
  const { lab, server } = world;
  for (const what of ['sudo password', 'passphrase']) canaries.set(what, `canary${randomBytes(16).toString('hex')}`);
  const passphrase = canaries.get('passphrase') ?? '';
  const key = keyPair({ passphrase, cipher: 'aes256-ctr', rounds: 4 });
  canaries.set('private key', lineOf(key.private));
  mkdirSync(own('.ssh'), { recursive: true, mode: 0o700 });
  const files = { key: key.private, sudo: canaries.get('sudo password') ?? '', phrase: passphrase };
  for (const [name, text] of Object.entries(files)) writeFileSync(own(`.ssh/${name}`), `${text}\n`, { mode: 0o600 });
  await lab.must('n1', ['sh', '-c', 'cat >> ~ops/.ssh/authorized_keys'], { input: `${key.public}\n` });
  await lab.must('n1', ['chpasswd'], { input: `ops:${canaries.get('sudo password')}\n` });
  for (const { name } of lab.nodes) await lab.must(name, ['touch', '/run/before-strata']);
  const spec = await world.specFile({ join: ['n2'], user: 'ops' }, (text) =>
    text
      .replace(/keyFile: .*/, `keyFile: ${own('.ssh/key')}\n        passphraseFrom: file:${own('.ssh/phrase')}`)
      .replace(/sudoPasswordFrom: .*/, `sudoPasswordFrom: file:${own('.ssh/sudo')}`),
  );
  timer = setInterval(lookAtArguments, 40);

  const refused = await server.strata(['plan', '-f', spec], { timeoutMs: long }); // the server learns of the nodes
  if (refused.code !== 0) throw new Error(`plan ended with ${refused.code}: ${refused.stdout}${refused.stderr}`);
  const { command, token } = JSON.parse(await server.must(['node', 'join-command', 'n2', '-o', 'json'])) as { command: string; token: string };
  canaries.set('join token', token.split('.').at(-1) ?? '');
  await lab.must('n2', ['bash'], { input: `${command}\n`, timeoutMs: 300_000 });
  applied = await server.strata(['apply', '-f', spec, '--yes'], { timeoutMs: long });
  if (applied.code === 0) await server.must(['kubeconfig', '--merge']);
  clearInterval(timer);

  canaries.set('admin token', server.token);
  for (const name of ['ca.key', 'order.key', 'box.key']) canaries.set(name, lineOf(readFileSync(join(server.home, 'secrets', name), 'utf8')));
  if (applied.code !== 0) throw new Error(`apply ended with ${applied.code}: ${applied.stdout.slice(-3_000)}${applied.stderr}`);
  for (const name of ['ca', 'front-proxy-ca', 'etcd/ca', 'sa']) canaries.set(`key of ${name}`, lineOf(await inNode('n1', `/etc/kubernetes/pki/${name}.key`)));
  canaries.set('admin.conf', /client-key-data: (\S+)/.exec(await inNode('n1', '/etc/kubernetes/admin.conf'))?.[1] ?? '');
  canaries.set('encryption key', /secret: (\S+)/.exec(await inNode('n1', '/etc/kubernetes/encryption.yaml'))?.[1] ?? '');
}, 2 * long);
afterAll(async () => {
  clearInterval(timer);
  await world?.dispose();
}, 300_000);

test('every kind of secret is there to look for', () => {
  for (const [what, value] of canaries) expect([what, value.length > 15]).toEqual([what, true]);
  expect(canaries.size).toBe(14);
});
test('none in the arguments of any process, here or in a node, all through; nor anything like a bootstrap token', () => {
  expect(seen.size).toBeGreaterThan(100);
  expect(leaksIn(canaries, 'the arguments of a process', [...seen].join('\n'))).toEqual([]);
  const tokens = [...seen].flatMap((line) => line.split('\0')).filter((arg) => /^(--token=)?[a-z0-9]{6}\.[a-z0-9]{16}$/.test(arg));
  expect(tokens).toEqual([]);
});
test('none in the database, in Redis, or in any file of the server but its secrets', async () => {
  const { home } = world.server;
  const sql = await Sql.open(home);
  const redis = openRedis(home);
  try {
    await sql.rows('CHECKPOINT');
    expect(await leaksInTables(canaries, sql)).toEqual([]);
    expect(await leaksInRedis(canaries, redis)).toEqual([]);
  } finally {
    await sql.close();
    redis.disconnect();
  }
  const apart = (path: string): boolean => path.startsWith(join(home, 'secrets/')) || path.startsWith(join(home, 'run/compiled/')) || path.startsWith(join(home, 'artifacts/'));
  expect(leaksInFiles(canaries, home, apart)).toEqual([]);
  for (const path of readableByAll(world.server.dir)) if (!apart(path)) expect(leaksIn(canaries, path, readFileSync(path))).toEqual([]);
}, long); // prettier-ignore
test('none in what was printed, nor in the events of any run', async () => {
  expect(leaksIn(canaries, 'what apply printed', applied.stdout + applied.stderr)).toEqual([]);
  const { id } = await newRun(world);
  expect(leaksIn(canaries, 'the events', JSON.stringify(await world.server.api.eventsOf(id)))).toEqual([]);
});
test.each(['n1', 'n2'])("none in the journals of %s, systemd's and the agent's, nor in a file that others may read", async (name) => {
  const root = `/proc/${world.lab.node(name).pid}/root/`; // with the slash: it is a link
  expect(leaksIn(canaries, 'the journal', await world.lab.must(name, ['journalctl', '--no-pager', '-o', 'export', '--all'], { timeoutMs: 120_000 }))).toEqual([]);
  expect(leaksInFiles(canaries, join(root, 'var/lib/strata'), (path) => path.includes('/artifacts/'))).toEqual([]);
  const find = ['find', root, '-xdev', '-type', 'f', '-perm', '-004', '-cnewer', join(root, 'run/before-strata'), '-size', '-4096k', '-print0'];
  const files = (await must(find, { timeoutMs: 120_000 })).stdout.split('\0').filter(Boolean);
  expect(files.length).toBeGreaterThan(10);
  for (const path of files) expect(leaksIn(canaries, path, readFileSync(path))).toEqual([]);
}, long); // prettier-ignore
