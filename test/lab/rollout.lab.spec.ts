import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { newestRun, outcomes, runs } from './support/cluster';
import { until } from './support/program';
import { World } from './support/world';

/** The containerized layer: each component when those that it needs work; a release that does not come up names its cause and goes back. */
const all = process.env.STRATA_FAULTS === 'all';
const long = 10 * 60_000;
const release = 'cluster/helm.release@shop.front';
let world: World;
let text: string;

beforeAll(async () => {
  world = await World.make({ nodes: 1, base: 'ready' }, { settings: { bundleDir: join(__dirname, '../fixtures/bundles') } });
  text = await world.lab.spec({ bundles: ['shop'] });
}, long);
afterAll(() => world?.dispose(), 300_000);

/** On the machine itself: what is waited for here lasts seconds. */
const kubectl = (...args: string[]): Promise<string> => world.lab.must('n1', ['kubectl', '--kubeconfig', '/etc/kubernetes/admin.conf', ...args]);
const must = async (...args: string[]): Promise<void> => void (await kubectl(...args));
async function create(item: object): Promise<void> {
  await world.lab.must('n1', ['kubectl', '--kubeconfig', '/etc/kubernetes/admin.conf', 'apply', '-f', '-'], { input: JSON.stringify(item) });
}
/** Applies the cluster with these values of the chart, and gives how that ended. */
async function apply(values: object = {}, ...more: string[]): Promise<{ code: number | null; said: string; outcome: string | undefined }> {
  const spec = parse(text) as { spec: { bundles: unknown[] } };
  spec.spec.bundles = [{ name: 'shop', values: { front: values } }];
  const file = await world.specFile({}, () => stringify(spec, { lineWidth: 0 }));
  const ran = await world.server.strata(['apply', '-f', file, '--yes', ...more], { timeoutMs: long });
  if (more.includes('--detach')) return { code: ran.code, said: ran.stdout, outcome: undefined };
  const events = await world.server.api.eventsOf((await newestRun(world)).id);
  return { code: ran.code, said: `${ran.stdout}${ran.stderr}`.replaceAll(/\s+/g, ' '), outcome: outcomes(events).get(release) };
}
interface Kept {
  version: string;
  status: string;
}
/** Helm's own records of the release, oldest first: as the API has them, not as we say. */
async function records(): Promise<Kept[]> {
  const labels = ['-n', 'shop', 'get', 'secrets', '-l', 'owner=helm,name=front', '-o', 'json'];
  const { items } = JSON.parse(await kubectl(...labels)) as { items: { metadata: { labels: Kept } }[] };
  return items.map((i) => ({ version: i.metadata.labels.version, status: i.metadata.labels.status })).sort((a, b) => Number(a.version) - Number(b.version));
}
const answer = (): Promise<string> => kubectl('get', '--raw', '/api/v1/namespaces/shop/services/front:80/proxy/').catch((e: unknown) => String(e));
const greeting = (): Promise<string> => kubectl('-n', 'shop', 'get', 'deployment', 'front', '-o', 'jsonpath={.spec.template.metadata.annotations.greeting}');
/** The pid of Helm's program while it is at this verb for our server; waits for it. */
const helmAt = (verb: string): Promise<number> =>
  until(`Helm to be at ${verb}`, long, () => {
    for (const pid of readdirSync('/proc').filter((n) => /^\d+$/.test(n))) {
      const argv = commandLine(pid);
      if (argv[0]?.startsWith(join(world.server.home, 'helm')) === true && argv[1] === verb) return Number(pid);
    }
    return null;
  });
function commandLine(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return []; // it is gone
  }
}
const isPending = (status: string): Promise<true> => until(`the release to be ${status}`, 60_000, async () => (await records()).at(-1)?.status === status);

test('Helm that is killed in its first install leaves nothing half-installed', async () => {
  const applied = apply({ hookSeconds: 60 });
  const pid = await helmAt('upgrade');
  await isPending('pending-install');
  process.kill(pid, 'SIGKILL');
  const { code, said, outcome } = await applied;
  expect([code === 0, outcome, said]).toEqual([false, 'failed', expect.stringContaining('it was taken away again')]);
  expect(await records()).toEqual([]);
  expect(await kubectl('-n', 'shop', 'get', 'deployments,services,jobs', '-o', 'name')).not.toContain('front');
}, long); // prettier-ignore

test('each component comes when those that it needs work, and a second apply finds nothing to do', async () => {
  const first = await apply();
  expect([first.code, first.code === 0 ? '' : first.said.slice(-3_000)]).toEqual([0, '']);
  expect(await answer()).toContain('n1');
  const ends = (await world.server.api.eventsOf((await newestRun(world)).id)).filter((e) => e.kind === 'OrderSettled').map((e) => e.step);
  const order = ['cluster/manifests.apply@shop.orders', 'cluster/manifests.apply@shop.first-order', release];
  expect(ends.filter((s) => s !== null && order.includes(s))).toEqual(order);
  expect(await records()).toEqual([{ version: '1', status: 'deployed' }]);
  const second = await apply();
  expect([second.code, second.outcome, (await newestRun(world)).steps.changed]).toEqual([0, 'satisfied', 0]);
}, long); // prettier-ignore

test('other values are a new revision of it', async () => {
  const { code, outcome } = await apply({ greeting: 'good morning' });
  expect([code, outcome, (await records()).at(-1)]).toEqual([0, 'changed', { version: '2', status: 'deployed' }]);
}, long); // prettier-ignore

/** What can be wrong with a rollout, and what has to be said of it. */
interface Fault {
  values: object;
  says: RegExp;
  before?: () => Promise<void>;
  after?: () => Promise<void>;
}
const map = (name: string, namespace: string): object => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace } });
const faults: { [name: string]: Fault } = {
  'an image that is not there': { values: { image: 'strata.local/nope:9' }, says: /pod front-\S+ \(container main\): its image strata\.local\/nope:9 cannot be had/ },
  'a program that ends': { values: { command: ['sh', '-c', 'echo no database here; exit 3'] }, says: /pod front-\S+ \(container main\): it ended with 3.*no database here/ },
  'a value of the wrong kind': { values: { cpu: 5 }, says: /cpu.*(string|number)/ },
  'no room on any node': { values: { cpu: '900' }, says: /no node takes it:.*Insufficient cpu/ },
  'never ready': { values: { readyPath: '/nothing' }, says: /\(container main\): Readiness probe failed.*404/ },
  'a Job that fails': { values: { job: ['false'] }, says: /Job front-job failed: / },
  'an object that is somebody else\'s': { values: { extra: [map('theirs', 'shop')] }, before: () => create(map('theirs', 'shop')), after: () => must('-n', 'shop', 'delete', 'configmap', 'theirs'), says: /ConfigMap "theirs".*(exists and cannot be imported|invalid ownership)/ },
  'a definition of another version': { values: { extra: [{ apiVersion: 'shop.test/v9', kind: 'Order', metadata: { name: 'x', namespace: 'shop' } }] }, says: /no matches for kind "Order" in version "shop\.test\/v9"/ },
  'a quota': {
    values: { memory: '64Mi' },
    before: () => create({ apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'small', namespace: 'shop' }, spec: { hard: { 'requests.memory': '20Mi' } } }),
    after: () => must('-n', 'shop', 'delete', 'resourcequota', 'small'), says: /pods cannot be made: .*exceeded quota: small/,
  },
  'an admission that nobody answers': {
    values: { greeting: 'refused' },
    before: () => create({
      apiVersion: 'admissionregistration.k8s.io/v1', kind: 'ValidatingWebhookConfiguration', metadata: { name: 'nobody' },
      webhooks: [{ name: 'nobody.shop.test', clientConfig: { service: { name: 'nobody', namespace: 'shop' } }, rules: [{ apiGroups: ['apps'], apiVersions: ['v1'], operations: ['UPDATE'], resources: ['deployments'] }], namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'shop' } }, failurePolicy: 'Fail', sideEffects: 'None', admissionReviewVersions: ['v1'], timeoutSeconds: 2 }],
    }),
    after: () => must('delete', 'validatingwebhookconfiguration', 'nobody'), says: /nobody\.shop\.test/,
  },
}; // prettier-ignore
const seed = Number(process.env.STRATA_SEED ?? Math.floor(Math.random() * 1e6));
/** In an order that the seed draws (mulberry32); all of them, or as many as npm test has time for. */
function drawn(names: readonly string[]): string[] {
  let s = seed;
  const next = (): number => {
    s = (s + 0x6d2b79f5) | 0;
    let t = Math.imul(s ^ (s >>> 15), 1 | s);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (t ^ (t >>> 14)) >>> 0;
  };
  return names.map((name) => ({ name, at: next() })).sort((a, b) => a.at - b.at).map(({ name }) => name).slice(0, all ? names.length : 3); // prettier-ignore
}
test.each(drawn(Object.keys(faults)))(`%s: the cause is named, and the release is what it was (seed ${seed})`, async (name) => {
  const { values, says, before, after } = faults[name] as Fault;
  await before?.();
  const { code, said, outcome } = await apply(values);
  expect([code === 0, outcome]).toEqual([false, 'failed']);
  expect(said).toMatch(says);
  await after?.();
  const kept = await records();
  expect(kept.filter((r) => r.status === 'deployed')).toEqual([kept.at(-1)]);
  await until('the service to answer as before', 60_000, async () => (await answer()).includes('n1'));
  expect(await greeting()).toBe('good morning');
}, long); // prettier-ignore

test('an API server that restarts in the midst of it only takes time', async () => {
  const known = (await runs(world)).map((r) => r.id);
  await apply({ greeting: 'good evening' }, '--detach');
  const { id } = await until('the run', 60_000, async () => (await runs(world)).find((r) => !known.includes(r.id)) ?? null);
  await until('the release to begin', 120_000, async () => (await world.server.api.eventsOf(id)).some((e) => e.kind === 'OrderStarted' && e.step === release));
  await world.lab.must('n1', ['sh', '-c', 'kill -9 $(pidof kube-apiserver)']);
  const ended = await until('the run to end', 300_000, async () => (await runs(world)).find((r) => r.id === id && r.result !== null) ?? null);
  expect([ended.result, ended.because]).toEqual(['done', ended.because]);
  // an API server that begins knows nobody's rights for a moment
  await until('the greeting', 30_000, async () => (await greeting().catch(() => '')) === 'good evening');
}, long); // prettier-ignore
test('Helm and the server that are killed in the midst of an upgrade: the release goes on when nobody can be at it any more', async () => {
  const known = (await runs(world)).map((r) => r.id);
  await apply({ greeting: 'good night', hookSeconds: 12 }, '--detach');
  const helm = await helmAt('upgrade');
  await isPending('pending-upgrade');
  const began = performance.now();
  const server = world.server.kill('server');
  process.kill(helm, 'SIGKILL');
  await world.server.backAs('server', server, 60_000);
  const ended = await until('the run to end', 300_000, async () => (await runs(world)).find((r) => !known.includes(r.id) && r.result !== null) ?? null);
  process.stdout.write(`    a release that was left pending was done after ${Math.round((performance.now() - began) / 1000)} s\n`);
  expect([ended.result, ended.because]).toEqual(['done', ended.because]);
  expect((await records()).filter((r) => r.status === 'deployed')).toHaveLength(1);
  expect(await greeting()).toBe('good night');
}, long); // prettier-ignore
