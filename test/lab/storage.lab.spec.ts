import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { leaksIn } from '../scenario/support/leaks';
import { newestRun, outcomes, ready } from './support/cluster';
import { must, runProgram, until } from './support/program';
import { differences, type Snapshot, snapshot } from './support/snapshot';
import { withShared } from './support/shared-spec';
import { World } from './support/world';

/** Three nodes with one file system: JuiceFS on SeaweedFS and a Redis of its own, from apply to uninstall. */
const long = 20 * 60_000;
const nodes = ['n1', 'n2', 'n3'];
const path = '/strata/rootfs';
const before = new Map<string, Snapshot>();
const secrets = new Map<string, string>();
let world: World;
let spec: string;

beforeAll(async () => {
  world = await World.make({ nodes: 3, base: 'ready' });
  for (const name of nodes) before.set(name, await snapshot(world.lab, name));
  for (const name of nodes) await world.lab.must(name, ['touch', '/run/before-strata']);
  spec = await world.specFile({ bundles: ['demo'] }, (text) => withShared(text));
}, long);
afterAll(() => world?.dispose(), 300_000);

const inNode = (node: string, argv: readonly string[], timeoutMs = 60_000): Promise<string> => world.lab.must(node, argv, { timeoutMs });
const mount = (node: string): Promise<string> => inNode(node, ['findmnt', '-n', '-o', 'FSTYPE', path]).then((t) => t.trim(), () => ''); // prettier-ignore
/** A program of this machine in a node's network. */
const from = (node: string, argv: readonly string[], env: Record<string, string> = {}): ReturnType<typeof runProgram> =>
  runProgram(['nsenter', '-t', String(world.lab.node(node).pid), '-n', ...argv], { timeoutMs: 20_000, env: { PATH: process.env.PATH ?? '', ...env } });
/** What the metadata says to a node's user with this password, asked from n2. */
async function asUser(user: string, password: string): Promise<string> {
  const address = world.lab.node('n1').address;
  const ran = await from('n2', ['redis-cli', '--no-auth-warning', '--tls', '--insecure', '-h', address, '-p', '6390', '--user', user, 'PING'], { REDISCLI_AUTH: password });
  return (ran.stdout + ran.stderr).trim();
} // prettier-ignore
const passwordOf = async (node: string): Promise<string> =>
  /META_PASSWORD=(\S+)/.exec(await inNode(node, ['cat', '/etc/strata/storage/juicefs/env']))?.[1] ?? '';

test(
  'apply makes it, every node is Ready and sees what all others wrote',
  async () => {
    const ran = await world.server.strata(['apply', '-f', spec, '--yes'], { timeoutMs: long });
    expect([ran.code, ran.code === 0 ? '' : ran.stdout.slice(-3_000) + ran.stderr]).toEqual([0, '']);
    expect(await ready(world)).toEqual({ n1: true, n2: true, n3: true });
    for (const name of nodes) expect([name, await mount(name)]).toEqual([name, 'fuse.juicefs']);
    const seen = outcomes(await world.server.api.eventsOf((await newestRun(world)).id));
    for (const name of nodes)
      expect([name, seen.get(`${name}/view.write`), seen.get(`${name}/view.read`)]).toEqual([name, 'changed', expect.stringMatching(/satisfied|changed/)]);
    for (const name of nodes) secrets.set(`password of ${name}`, await passwordOf(name));
    const keys = JSON.parse(await inNode('n1', ['cat', '/etc/strata/storage/objects/s3.json'])) as { identities: { credentials: { secretKey: string }[] }[] };
    secrets.set('key of the bucket', keys.identities[0]?.credentials[0]?.secretKey ?? '');
    for (const [what, value] of secrets) expect([what, value.length]).toEqual([what, 40]);
  },
  long,
);
test('another plan has nothing to do', async () => {
  const again = await world.server.strata(['plan', '-f', spec, '--detailed-exitcode'], { timeoutMs: long });
  expect([again.code, again.code === 0 ? '' : again.stdout]).toEqual([0, '']);
}, long); // prettier-ignore

const podOn = (node: string, command: string): object => ({
  apiVersion: 'v1', kind: 'Pod', metadata: { name: `shared-${node}`, namespace: 'default' },
  spec: {
    nodeName: node, restartPolicy: 'Never', terminationGracePeriodSeconds: 1,
    containers: [{ name: 'main', image: 'strata.local/web:1', imagePullPolicy: 'IfNotPresent', command: ['sh', '-c', command], volumeMounts: [{ name: 'shared', mountPath: '/shared' }] }],
    volumes: [{ name: 'shared', hostPath: { path: `${path}/common`, type: 'Directory' } }],
  },
}); // prettier-ignore
test('what a pod writes on n1 a pod on n2 reads', async () => {
  const run = async (node: string, command: string): Promise<string> => {
    const file = join(world.server.dir, 'user', `pod-${node}.json`);
    writeFileSync(file, JSON.stringify(podOn(node, command)));
    await world.server.kubectl(world.cluster, ['apply', '-f', file]);
    await until(`the pod on ${node} to end`, 120_000, async () => (await world.server.kubectl(world.cluster, ['get', 'pod', `shared-${node}`, '-o', 'jsonpath={.status.phase}'])) === 'Succeeded' || null);
    return world.server.kubectl(world.cluster, ['logs', `shared-${node}`]);
  };
  await run('n1', 'echo hello from n1 > /shared/pod.txt && sync');
  expect((await run('n2', 'cat /shared/pod.txt')).trim()).toBe('hello from n1');
}, long); // prettier-ignore

test.each([['the worker', 'worker'], ['both processes', 'both']])('%s of a mount killed: it is back by itself', async (_, which) => {
  const pids = (await inNode('n2', ['pgrep', '-f', 'juicefs mount'])).trim().split('\n');
  expect(pids.length).toBe(2);
  await inNode('n2', ['kill', '-9', ...(which === 'both' ? pids : pids.slice(-1))]);
  await until('the mount to be back', 30_000, async () => ((await world.lab.exec('n2', ['cat', `${path}/common/pod.txt`], { timeoutMs: 10_000 })).stdout.trim() === 'hello from n1' ? true : null));
}, 120_000); // prettier-ignore

test.each(['strata-metadata.service', 'strata-objects.service'])('%s killed: it is back by itself, with all that was flushed, and new things can be written', async (unit) => {
  await inNode('n1', ['systemctl', 'kill', '-s', 'KILL', unit]);
  await until(`${unit} to be back`, 60_000, async () => ((await world.lab.exec('n3', ['sh', '-c', `echo ${unit} > ${path}/common/${unit} && sync ${path}/common/${unit}`], { timeoutMs: 30_000 })).code === 0 ? true : null));
  expect(await inNode('n3', ['cat', `${path}/common/pod.txt`])).toBe('hello from n1\n');
  expect(await inNode('n2', ['cat', `${path}/common/${unit}`])).toBe(`${unit}\n`);
  expect(await inNode('n1', ['journalctl', '--no-pager', '-u', unit])).not.toMatch(/CRITICAL/);
}, 120_000); // prettier-ignore

/** `strata storage verify`: its exit code, and what it says. */
const verify = async (): Promise<[number, string]> => {
  const ran = await world.server.strata(['storage', 'verify'], { timeoutMs: long });
  return [ran.code, ran.stdout + ran.stderr];
};
test('storage verify writes anew on each node, and each reads all', async () => {
  const [code, said] = await verify();
  expect([code, code === 0 ? '' : said]).toEqual([0, '']);
  const seen = outcomes(await world.server.api.eventsOf((await newestRun(world)).id));
  expect(Object.fromEntries([...seen].filter(([step]) => step.endsWith('view.write')))).toEqual(Object.fromEntries(nodes.map((name) => [`${name}/view.write`, 'changed'])));
  expect([...seen].filter(([step]) => step.endsWith('view.read'))).toHaveLength(nodes.length);
}, long); // prettier-ignore
const keys = '/etc/strata/storage/objects/s3.json';
const harms = [
  { what: 'the path of one is something else', node: 'n2', harm: `mount --bind /srv ${path}`, mend: `umount ${path}`, says: /n2[^]*\/strata\/rootfs is a mount of type \w+, not the shared file system/ },
  { what: 'the metadata are away', node: 'n1', harm: 'systemctl stop strata-metadata', mend: 'systemctl start strata-metadata', says: /view\/n\d`? was ended: it ran longer than|does not answer within|Input\/output error/ },
  { what: 'nobody may write objects', node: 'n1', harm: `cp -a ${keys} /run/ && sed -i s/Write:/Read:/g ${keys} && systemctl restart strata-objects`, mend: `cp -a /run/s3.json ${keys} && systemctl restart strata-objects`, says: /\bdd\b/ },
]; // prettier-ignore
test.each(harms)('storage verify says so when $what, and is well when that is over', async ({ node, harm, mend, says }) => {
  await inNode(node, ['sh', '-c', harm]);
  const [code, said] = await verify();
  await inNode(node, ['sh', '-c', mend]);
  expect(code).toBe(1);
  expect(said).toMatch(says);
  await until('the view to be whole again', 120_000, async () => ((await verify())[0] === 0 ? true : null));
}, long); // prettier-ignore

test('from another node only the S3 and the Redis port with TLS answer, and nobody without the right key', async () => {
  const address = world.lab.node('n1').address;
  const listening = (await inNode('n1', ['ss', '-Hlnt'])).split('\n').map((l) => l.trim().split(/\s+/)[3] ?? '').filter((at) => /:(6390|8333|1?833[3-6]|9333|8080|8888|8181|9101)$/.test(at)); // prettier-ignore
  expect(listening.filter((at) => !at.startsWith('127.')).sort()).toEqual([`${address}:6390`, `${address}:8333`]);
  const status = async (of: string): Promise<string> => (await from('n2', ['curl', '-sk', '-m', '10', '-o', '/dev/null', '-w', '%{http_code}', of])).stdout;
  expect(await status(`https://${address}:8333/`)).toBe('403');
  expect(await status(`https://${address}:8333/${world.cluster}-rootfs?list-type=2`)).toBe('403');
  expect(await status(`http://${address}:8336/`)).toBe('000');
  expect(await asUser('node.n2', secrets.get('password of n2') ?? '')).toBe('PONG');
  expect(await asUser('node.n2', 'not this one')).toMatch(/WRONGPASS/);
  expect(await asUser('default', '')).not.toMatch(/PONG/);
  const plain = await from('n2', ['redis-cli', '-h', address, '-p', '6390', 'PING']);
  expect(plain.stdout).not.toMatch(/PONG/);
}, 120_000); // prettier-ignore

test('no credential in arguments, units, journals, or files that others may read', async () => {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      expect(leaksIn(secrets, 'the arguments of a process', readFileSync(`/proc/${pid}/cmdline`))).toEqual([]);
    } catch (error) {
      if (!/ENOENT|ESRCH/.test(String(error))) throw error; // it ended meanwhile
    }
  }
  for (const name of nodes) {
    const root = `/proc/${world.lab.node(name).pid}/root/`;
    const find = ['find', root, '-xdev', '-type', 'f', '-perm', '-004', '-cnewer', join(root, 'run/before-strata'), '-size', '-4096k', '-print0'];
    for (const file of (await must(find, { timeoutMs: 120_000 })).stdout.split('\0').filter(Boolean)) expect(leaksIn(secrets, file, readFileSync(file))).toEqual([]);
    expect(leaksIn(secrets, 'the journal', await inNode(name, ['journalctl', '--no-pager', '-o', 'export', '--all'], 120_000))).toEqual([]);
  }
}, long); // prettier-ignore

test('a node that is removed comes in no more; the others go on', async () => {
  const ran = await world.server.strata(['node', 'remove', 'n3', '--yes'], { timeoutMs: long });
  expect([ran.code, ran.code === 0 ? '' : ran.stdout.slice(-3_000) + ran.stderr]).toEqual([0, '']);
  expect(await asUser('node.n3', secrets.get('password of n3') ?? '')).toMatch(/WRONGPASS/);
  expect(differences(before.get('n3') ?? [], await snapshot(world.lab, 'n3'))).toEqual([]);
  expect(await inNode('n2', ['cat', `${path}/common/pod.txt`])).toBe('hello from n1\n');
  const services = await world.server.strata(['node', 'remove', 'n1', '--yes'], { timeoutMs: long });
  expect(services.code).not.toBe(0);
}, long); // prettier-ignore

test('the same machine comes again: another node, with another password, mounted before its kubelet starts', async () => {
  const ran = await world.server.strata(['apply', '-f', spec, '--yes'], { timeoutMs: long });
  expect([ran.code, ran.code === 0 ? '' : ran.stdout.slice(-3_000) + ran.stderr]).toEqual([0, '']);
  expect(await inNode('n3', ['cat', `${path}/common/pod.txt`])).toBe('hello from n1\n');
  const password = await passwordOf('n3');
  expect(password).not.toBe(secrets.get('password of n3'));
  expect([await asUser('node.n3', password), await asUser('node.n3', secrets.get('password of n3') ?? '')]).toEqual(['PONG', expect.stringMatching(/WRONGPASS/)]);
  const since = async (unit: string): Promise<number> => Number((await inNode('n3', ['systemctl', 'show', '-P', 'ActiveEnterTimestampMonotonic', unit])).trim());
  expect(await since('strata-juicefs.service')).toBeLessThan(await since('kubelet.service'));
}, long); // prettier-ignore

test('a path that is something else than the shared tree is refused, by the name of its node', async () => {
  await inNode('n2', ['mount', '--bind', '/srv', path]);
  const ran = await world.server.strata(['apply', '-f', spec, '--yes'], { timeoutMs: long });
  await inNode('n2', ['umount', path]);
  expect(ran.code).not.toBe(0);
  expect(ran.stdout + ran.stderr).toMatch(/n2[^]*something of type \w+ is mounted at \/strata\/rootfs/);
}, long); // prettier-ignore

test('after uninstall each machine is what it was, but for the data, whose place is named', async () => {
  await world.server.must(['uninstall', world.cluster, '--yes'], { timeoutMs: long });
  expect((await newestRun(world)).result).toBe('done');
  const data = /^[+-] (file|content) \| (\/var\/lib\/(private(\/|$| )|strata-(metadata|objects))\S*)/;
  const kept = differences(before.get('n1') ?? [], await snapshot(world.lab, 'n1'));
  expect(kept.filter((line) => !data.test(line))).toEqual([]);
  for (const name of ['strata-metadata', 'strata-objects']) expect([name, kept.some((line) => line.includes(`/var/lib/private/${name}`))]).toEqual([name, true]);
  expect(differences(before.get('n2') ?? [], await snapshot(world.lab, 'n2'))).toEqual([]);
}, long); // prettier-ignore

test('a cluster of the same name takes the data that is there, with keys of its own', async () => {
  const ran = await world.server.strata(['apply', '-f', spec, '--yes'], { timeoutMs: long });
  expect([ran.code, ran.code === 0 ? '' : ran.stdout.slice(-3_000) + ran.stderr]).toEqual([0, '']);
  for (const name of nodes) expect([name, await inNode(name, ['cat', `${path}/common/pod.txt`])]).toEqual([name, 'hello from n1\n']);
  expect(await passwordOf('n2')).not.toBe(secrets.get('password of n2'));
}, long); // prettier-ignore
