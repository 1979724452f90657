import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { newestRun, runs } from './support/cluster';
import { type Ran, until } from './support/program';
import { World } from './support/world';

/** Applications on one real node: their data stay through everything but the one word that deletes them. */
const long = 10 * 60_000;
let world: World;

beforeAll(async () => {
  world = await World.make({ nodes: 1, base: 'ready' }, { settings: { bundleDir: join(__dirname, '../fixtures/bundles') } });
  const file = await world.specFile({});
  const ran = await world.server.strata(['apply', '-f', file, '--yes'], { timeoutMs: long });
  expect([ran.code, ran.code === 0 ? '' : `${ran.stdout}${ran.stderr}`.slice(-3_000)]).toEqual([0, '']);
}, 2 * long);
afterAll(() => world?.dispose(), 300_000);

const kubectl = (...args: string[]): Promise<string> => world.lab.must('n1', ['kubectl', '--kubeconfig', '/etc/kubernetes/admin.conf', ...args]);
async function create(...items: object[]): Promise<void> {
  const argv = ['kubectl', '--kubeconfig', '/etc/kubernetes/admin.conf', 'apply', '-f', '-'];
  await world.lab.must('n1', argv, { input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items }) });
}
const app = (...args: string[]): Promise<Ran> => world.server.strata(['app', ...args], { timeoutMs: long });
const words = (ran: Ran): string => `${ran.stdout}${ran.stderr}`.replaceAll(/\s+/g, ' ');
async function must(...args: string[]): Promise<string> {
  const ran = await app(...args);
  expect([ran.code, ran.code === 0 ? '' : words(ran).slice(-2_000)]).toEqual([0, '']);
  return words(ran);
}
interface App {
  name: string;
  namespace: string;
  state: string;
  revision: number;
  proven: number[];
  bundle: string | null;
  component: string | null;
  version: string | null;
  by: string;
}
const list = async (): Promise<App[]> => (JSON.parse((await app('list', '-o', 'json')).stdout) as { apps: App[] }).apps;
const db = async (): Promise<App | undefined> => (await list()).find((a) => a.name === 'db');
const pod = ['-n', 'office', 'exec', 'db-0', '--'];
const write = (text: string): Promise<string> => kubectl(...pod, 'sh', '-c', `echo ${text} > /data/file && echo ${text} > /own/file && sync`);
const read = async (): Promise<string[]> => (await kubectl(...pod, 'cat', '/data/file', '/own/file')).trim().split('\n');
const greeting = (): Promise<string> => kubectl('-n', 'office', 'get', 'pod', 'db-0', '-o', 'jsonpath={.metadata.annotations.greeting}');
const claims = async (): Promise<string[]> => (await kubectl('-n', 'office', 'get', 'pvc', '-o', 'name')).trim().split('\n').filter(Boolean);
const uid = (): Promise<string> => kubectl('-n', 'office', 'get', 'pod', 'db-0', '-o', 'jsonpath={.metadata.uid}');
/** A folder of the node as a volume, for one claim alone. It is made by whoever runs the cluster, and is no part of a chart. */
const volume = (claim: string): object => ({
  apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name: claim },
  spec: {
    capacity: { storage: '1Mi' }, accessModes: ['ReadWriteOnce'], persistentVolumeReclaimPolicy: 'Retain', storageClassName: '',
    hostPath: { path: `/srv/${claim}`, type: 'DirectoryOrCreate' }, claimRef: { namespace: 'office', name: claim },
  },
}); // prettier-ignore

test('an application is installed, and the list tells of it', async () => {
  await create(volume('data-db-0'), volume('db-own'));
  expect(await must('list', '--available')).toMatch(/office\/db 1\.0\.0 office/);
  const values = join(world.server.dir, 'user', 'values.yaml');
  writeFileSync(values, 'greeting: "{{ .Release.Name }} {{ lookup \\"v1\\" \\"Secret\\" \\"\\" \\"\\" }}"\n');
  await must('install', 'office/db', '-f', values);
  expect(await db()).toMatchObject({ namespace: 'office', state: 'running', revision: 1, proven: [1], bundle: 'office', component: 'db', version: '1.0.0', by: 'app' });
  expect(await greeting()).toBe('{{ .Release.Name }} {{ lookup "v1" "Secret" "" "" }}'); // values are data
  expect(await kubectl('-n', 'office', 'get', 'pod', 'db-0', '-o', 'jsonpath={.metadata.annotations.outside}')).toBe(''); // and a chart reads nothing outside of itself
  await write('first');
  const again = await app('install', 'office/db');
  expect([again.code, words(again)]).toEqual([3, expect.stringContaining('there is a release db in office already')]);
}, long); // prettier-ignore

test(
  'an upgrade and a rollback keep its data and the values that were given',
  async () => {
    await must('upgrade', 'db', '--set', 'greeting=second');
    expect([await db(), await greeting(), await read()]).toMatchObject([{ revision: 2, proven: [1, 2] }, 'second', ['first', 'first']]);
    await must('upgrade', 'db', '--set', 'unused=1');
    expect([await db(), await greeting()]).toMatchObject([{ revision: 3 }, 'second']);
    await must('rollback', 'db', '--to', '1');
    expect([await db(), await read()]).toMatchObject([{ revision: 4, state: 'running' }, ['first', 'first']]);
    expect(await greeting()).toContain('lookup');
  },
  long,
);

test(
  'an upgrade that does not come up goes back, says why, and keeps the data',
  async () => {
    const ran = await app('upgrade', 'db', '--set', 'readyPath=/nothing', '--set', 'greeting=bad');
    expect([ran.code, words(ran)]).toEqual([1, expect.stringMatching(/Readiness probe failed.*404.*it went back to revision 4/)]);
    await until('the pod of before', 60_000, async () => (await db())?.state === 'running');
    expect(await read()).toEqual(['first', 'first']);
  },
  long,
);

test(
  'its logs come, go on while they are followed, and end when nobody listens any more',
  async () => {
    expect(await must('logs', 'db')).toContain('db-0 main: greeting {{ .Release.Name }}');
    expect(await must('logs', 'db', '--tail', '1', '--container', 'main', '-o', 'json')).toContain('"pod":"db-0"');
    const none = await app('logs', 'db', '--container', 'nobody');
    expect([none.code, words(none)]).toEqual([1, expect.stringContaining('has a container "nobody"')]);
    const spoken = world.server.strata(['app', 'logs', 'db', '--follow'], { timeoutMs: 25_000 }).catch((e: unknown) => String(e));
    await kubectl('-n', 'office', 'delete', 'pod', 'db-0');
    await until('the new pod', 60_000, async () => (await db())?.state === 'running');
    expect(JSON.stringify(await spoken).match(/db-0 main: greeting/g)?.length).toBeGreaterThan(1); // the old pod's and the new one's
  },
  long,
);

test('two upgrades at once: the second waits, says for what, and comes', async () => {
  const first = app('upgrade', 'db', '--set', 'greeting=one', '--detach');
  await first;
  const known = (await newestRun(world)).id;
  const busy = await app('upgrade', 'db', '--set', 'greeting=two', '--wait', '0');
  expect([busy.code, words(busy)]).toEqual([5, expect.stringContaining(`run ${known} (upgrade of office/db) is at work`)]);
  const second = await app('upgrade', 'db', '--set', 'greeting=two');
  expect([second.code, words(second)]).toEqual([0, expect.stringContaining(`run ${known} (upgrade of office/db) is at work on cluster "${world.cluster}"; waiting until it is over`)]);
  expect((await runs(world)).find((r) => r.id === known)?.result).toBe('done');
  expect([await greeting(), await read()]).toEqual(['two', ['first', 'first']]);
}, long); // prettier-ignore

test(
  'stopped, nothing runs and the data stay; started, it is as before; restarted, its pods are new',
  async () => {
    await must('stop', 'db');
    expect([await db(), await kubectl('-n', 'office', 'get', 'pods', '-o', 'name'), (await claims()).length]).toMatchObject([{ state: 'stopped' }, '', 2]);
    expect(await kubectl('-n', 'office', 'get', 'cronjob', 'db-yearly', '-o', 'jsonpath={.spec.suspend}')).toBe('true');
    await must('start', 'db');
    expect([await db(), await read()]).toMatchObject([{ state: 'running' }, ['first', 'first']]);
    expect(await kubectl('-n', 'office', 'get', 'cronjob', 'db-yearly', '-o', 'jsonpath={.spec.suspend}')).toBe('false');
    const before = await uid();
    await must('restart', 'db');
    expect(await uid()).not.toBe(before);
    expect(await read()).toEqual(['first', 'first']);
    await must('stop', 'db');
    expect(await must('upgrade', 'db', '--set', 'greeting=awake')).toContain('a new revision starts it');
    expect([await db(), await greeting()]).toMatchObject([{ state: 'running' }, 'awake']);
  },
  long,
);

test('what somebody took away is told of, is not waited for, and comes back with its data by an upgrade to the same', async () => {
  await kubectl('-n', 'office', 'delete', 'statefulset', 'db', '--cascade=foreground');
  expect(await db()).toMatchObject({ state: 'degraded' });
  const restarted = await app('restart', 'db');
  expect([restarted.code, words(restarted)]).toEqual([1, expect.stringMatching(/StatefulSet db of db is not there.*strata app upgrade db --namespace office/)]);
  await must('upgrade', 'db');
  expect([await db(), await read()]).toMatchObject([{ state: 'running' }, ['first', 'first']]);
}, long); // prettier-ignore

test('without a component that enforces network policies no user gets a namespace; with one it is fenced', async () => {
  const refused = await app('install', 'office/db', '--user', 'alice', '--set', 'claims=false');
  expect([refused.code, words(refused)]).toEqual([3, expect.stringMatching(/nothing in this cluster enforces network policies.*provides: \[network-policy\]/)]);
  expect(await kubectl('get', 'namespaces', '-o', 'name')).not.toContain('user-alice');
  const file = await world.specFile({ bundles: ['fences'] });
  expect((await world.server.strata(['apply', '-f', file, '--yes'], { timeoutMs: long })).code).toBe(0);
  await must('install', 'office/db', '--user', 'alice', '--set', 'claims=false');
  expect((await list()).filter((a) => a.namespace === 'user-alice')).toMatchObject([{ name: 'db', state: 'running' }]);
  const made = await kubectl('-n', 'user-alice', 'get', 'networkpolicies,resourcequotas,limitranges', '-o', 'name');
  for (const one of ['strata-deny', 'strata-same-namespace', 'strata-dns', 'resourcequota/strata', 'limitrange/strata']) expect(made).toContain(one);
  const from = await kubectl('-n', 'user-alice', 'get', 'networkpolicy', 'strata-same-namespace', '-o', 'jsonpath={.spec.ingress}');
  expect(JSON.parse(from)).toEqual([{ from: [{ podSelector: {} }] }]); // a rule without it lets everybody in
  const privileged = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', namespace: 'user-alice' }, spec: { hostPID: true, containers: [{ name: 'c', image: 'strata.local/web:1' }] } };
  await expect(create(privileged)).rejects.toThrow(/violates PodSecurity "baseline/);
  await must('remove', 'db', '--user', 'alice', '--yes', '--delete-namespace');
  expect(await kubectl('get', 'namespaces', '-o', 'name')).not.toContain('user-alice');
}, long); // prettier-ignore

test(
  'removed, its data stay for the next of its name; only one word deletes them',
  async () => {
    expect(await must('remove', 'db', '--yes')).toContain('done');
    expect([await db(), await claims()]).toEqual([undefined, ['persistentvolumeclaim/data-db-0', 'persistentvolumeclaim/db-own']]);
    await must('install', 'office/db');
    expect(await read()).toEqual(['first', 'first']);
    await must('remove', 'db', '--yes', '--delete-data');
    expect([await db(), await claims()]).toEqual([undefined, []]);
  },
  long,
);
