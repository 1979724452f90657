import { writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { newestRun } from './support/cluster';
import { until } from './support/program';
import { differences, type Snapshot, snapshot } from './support/snapshot';
import { World } from './support/world';

/** The bundle `platform` on two nodes: each part is used as people would, and is gone with the cluster. */
const long = 20 * 60_000;
const nodes = ['n1', 'n2'];
const before = new Map<string, Snapshot>();
let world: World;
let spec: string;

beforeAll(async () => {
  world = await World.make({ nodes: 2, base: 'ready' });
  for (const name of nodes) before.set(name, await snapshot(world.lab, name));
  spec = await world.specFile({ bundles: ['platform'] });
  const ran = await world.server.strata(['apply', '-f', spec, '--yes'], { timeoutMs: long });
  expect([ran.code, ran.code === 0 ? '' : ran.stdout.slice(-4_000) + ran.stderr]).toEqual([0, '']);
}, long + 600_000);
afterAll(() => world?.dispose(), 300_000);

const kubectl = (...args: string[]): Promise<string> => world.server.kubectl(world.cluster, args);
const sh = (node: string, script: string): Promise<string> => world.lab.must(node, ['sh', '-c', script]);
async function create(...items: object[]): Promise<void> {
  const file = join(world.server.dir, 'user', 'things.json');
  writeFileSync(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
  await kubectl('apply', '-f', file);
}
const namespace = (name: string): object => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
/** A pod of busybox; `serves`: a web server with these words; `says`: what it has in its log. */
const pod = (at: string, of: { node?: string; serves?: string; says?: string; volumes?: object[]; mounts?: object[] } = {}): object => {
  const [space, name] = at.split('/');
  const script = of.serves === undefined ? `echo ${of.says ?? ''}; exec sleep 36000` : `mkdir /tmp/www; echo ${of.serves} > /tmp/www/index.html; exec httpd -f -p 8080 -h /tmp/www`;
  return {
    apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: space, labels: { app: name } },
    spec: {
      ...(of.node === undefined ? {} : { nodeName: of.node }), terminationGracePeriodSeconds: 1,
      containers: [{ name: 'main', image: 'strata.local/busybox:1', imagePullPolicy: 'IfNotPresent', command: ['sh', '-c', script], volumeMounts: [{ name: 'tmp', mountPath: '/tmp' }, ...(of.mounts ?? [])] }],
      volumes: [{ name: 'tmp', emptyDir: {} }, ...(of.volumes ?? [])],
    },
  };
}; // prettier-ignore
async function runs(...pods: string[]): Promise<void> {
  for (const at of pods) await kubectl('-n', at.split('/')[0] ?? '', 'wait', '--for=condition=Ready', `pod/${at.split('/')[1]}`, '--timeout=120s');
}
const inPod = (at: string, script: string): Promise<string> => kubectl('-n', at.split('/')[0] ?? '', 'exec', at.split('/')[1] ?? '', '--', 'sh', '-c', script);
const addressOf = (at: string): Promise<string> =>
  kubectl('-n', at.split('/')[0] ?? '', 'get', 'pod', at.split('/')[1] ?? '', '-o', 'jsonpath={.status.podIP}');
/** What a node's port 80 answers to who asks for a host. */
const asked = (node: string, host: string, path = '/'): Promise<string> =>
  new Promise((resolve) => {
    get({ host: world.lab.node(node).address, port: 80, path, headers: { host }, timeout: 5_000 }, (r) => {
      let body = '';
      r.on('data', (d: Buffer) => (body += d.toString()));
      r.on('end', () => resolve(`${r.statusCode} ${body.trim()}`));
    }).on('error', (e) => resolve(e.message));
  });

test('what it took, and every component is there', async () => {
  const events = await world.server.api.eventsOf((await newestRun(world)).id);
  const at = (kind: string, step: string): number => events.filter((e) => e.kind === kind && e.step === step).at(-1)?.at ?? NaN;
  const steps = [...new Set(events.flatMap((e) => (e.step?.includes('@platform.') === true ? [e.step] : [])))];
  expect(steps.map((s) => s.replace(/^.*@platform\./, '')).sort()).toEqual(['ingress', 'local-path', 'log-tail', 'metrics', 'network-policy', 'sealed-secrets', 'seals']);
  const took = steps.map((s) => `${s.replace(/^.*@platform\./, '')} ${Math.round((at('OrderSettled', s) - at('OrderStarted', s)) / 1000)} s`);
  const all = Math.max(...steps.map((s) => at('OrderSettled', s))) - Math.min(...steps.map((s) => at('OrderStarted', s)));
  process.stdout.write(`    the platform was there after ${Math.round(all / 1000)} s: ${took.join(', ')}\n`);
}); // prettier-ignore

test('metrics: who asks how much nodes and pods use is answered', async () => {
  const top = await until('kubectl top', 120_000, async () => {
    const said = await kubectl('top', 'nodes', '--no-headers').catch(() => '');
    return said.trim().split('\n').filter((l) => /^n[12] +\d+m .*\d+Mi/.test(l)).length === 2 ? said : null; // prettier-ignore
  });
  process.stdout.write(`    ${top.trim().replaceAll('\n', '\n    ')}\n`);
  expect(await kubectl('top', 'pods', '-A', '--no-headers')).toMatch(/kube-system +etcd-n1 +\d+m +\d+Mi/);
}, long); // prettier-ignore

interface Pods {
  pods: { namespace: string; name: string; layer: string; usage: { cpuMillis: number; memoryBytes: number } | null }[];
}
test('strata pods: what each uses, what Kubernetes tells of one, and what it says', async () => {
  const pods = async (...more: string[]): Promise<Pods['pods']> => (JSON.parse(await world.server.must(['pods', '--cluster', world.cluster, '-o', 'json', ...more])) as Pods).pods;
  await create(pod('default/talks', { node: 'n2', says: 'first words' }));
  await runs('default/talks');
  // the server asks who measures each 15 s, or after a minute where nobody did; a new pod is measured after its second look
  const measured = await until('pods to have usage', 240_000, async () => {
    const all = await pods();
    const some = ['kube-system/etcd-n1', 'default/talks'].map((at) => all.find((p) => `${p.namespace}/${p.name}` === at)?.usage ?? null);
    return some.every((u) => u !== null) ? some : null;
  });
  process.stdout.write(`    etcd and a pod that sleeps use: ${JSON.stringify(measured)}\n`);
  expect(measured[0]?.memoryBytes).toBeGreaterThan(2 ** 20);
  expect(await world.server.must(['pods', '--cluster', world.cluster])).toMatch(/CPU +MEMORY\n/);
  const of = async (...filter: string[]): Promise<string[]> => [...new Set((await pods(...filter)).map((p) => p.layer))];
  expect([await of('--layer', 'orchestration'), await of('--layer', 'containerized')]).toEqual([['orchestration'], ['containerized']]);

  const told = JSON.parse(await world.server.must(['pods', 'events', 'default/talks', '--cluster', world.cluster, '-o', 'json'])) as { events: { reason: string; at: number; type: string }[] };
  expect(told.events.map((e) => e.reason)).toEqual(expect.arrayContaining(['Pulled', 'Created', 'Started']));
  expect(told.events.map((e) => e.at)).toEqual(told.events.map((e) => e.at).sort((a, b) => a - b));
  expect(await world.server.must(['pods', 'logs', 'default/talks', '--cluster', world.cluster])).toBe('talks main: first words\n');
  const nobody = await world.server.strata(['pods', 'logs', 'default/nobody', '--cluster', world.cluster]);
  expect([nobody.code, nobody.stderr]).toEqual([1, expect.stringContaining('there is no pod nobody in default')]);

  const watching = world.server.strata(['pods', '--cluster', world.cluster, '-n', 'default', '--watch', '-o', 'json'], { timeoutMs: 30_000 });
  await new Promise((resolve) => setTimeout(resolve, 5_000));
  await kubectl('delete', 'pod/talks', '--wait=true');
  const { stdout } = await watching; // killed after its time: it does not end by itself
  const news = stdout.trim().split('\n').map((l) => JSON.parse(l) as { event: string; data: { name?: string } });
  expect([news[0]?.event, news.some((n) => n.event === 'gone' && n.data.name === 'talks')]).toEqual(['pods', true]);
}, long); // prettier-ignore

test('local-path: a claim without a class has a volume on the node of its pod, and gives it back', async () => {
  expect(await kubectl('get', 'storageclass', 'local-path', '-o', 'jsonpath={.metadata.annotations.storageclass\\.kubernetes\\.io/is-default-class}')).toBe('true');
  await create(
    { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'data', namespace: 'default' }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '10Mi' } } } },
    pod('default/writes', { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }], mounts: [{ name: 'data', mountPath: '/data' }] }),
  );
  await runs('default/writes');
  await inPod('default/writes', 'echo kept > /data/letter');
  const node = await kubectl('get', 'pod', 'writes', '-o', 'jsonpath={.spec.nodeName}');
  expect(await world.lab.must(node, ['sh', '-c', 'cat /strata/rootfs/volumes/*_default_data/letter'])).toBe('kept\n');
  await kubectl('delete', 'pod/writes', 'pvc/data', '--wait=true');
  await until('the folder to go', 90_000, async () => (await world.lab.must(node, ['ls', '/strata/rootfs/volumes'])) === '');
}, long); // prettier-ignore

test('ingress: a web server answers on port 80 of each node, by its host; another host is not known', async () => {
  const backend = { service: { name: 'web', port: { number: 80 } } };
  await create(
    pod('default/web', { serves: 'welcome' }),
    { apiVersion: 'v1', kind: 'Service', metadata: { name: 'web', namespace: 'default' }, spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] } },
    { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', metadata: { name: 'web', namespace: 'default' }, spec: { rules: [{ host: 'web.test', http: { paths: [{ path: '/', pathType: 'Prefix', backend }] } }] } },
  );
  await runs('default/web');
  expect(await kubectl('get', 'ingress', 'web', '-o', 'jsonpath={.spec.ingressClassName}')).toBe('strata');
  for (const node of nodes) await until(`${node} to answer`, 60_000, async () => (await asked(node, 'web.test')) === '200 welcome');
  expect(await asked('n1', 'else.test')).toMatch(/^404/);
}, long); // prettier-ignore

describe('network policies', () => {
  const clients = nodes.flatMap((node) => ['friends', 'strangers'].map((space) => ({ at: `${space}/${node}`, node, allowed: space === 'friends' })));
  const answers = async (at: string, server: string): Promise<string> => inPod(at, `timeout 2 wget -qO- http://${server}:8080/ 2>&1 || true`);
  /** Everybody asks; what is allowed answers, the rest does not. */
  async function hold(): Promise<void> {
    const server = await addressOf('friends/server');
    for (const { at, allowed } of clients) {
      const said = await answers(at, server);
      expect([at, said.trim() === 'secrets']).toEqual([at, allowed]);
    }
  }
  const podsOf = async (): Promise<string[]> => (await kubectl('-n', 'platform', 'get', 'pods', '-l', 'app=network-policy', '-o', 'name')).trim().split('\n');

  test('hold between namespaces, on the same node and between nodes', async () => {
    await create(namespace('friends'), namespace('strangers'));
    await create(pod('friends/server', { node: 'n1', serves: 'secrets' }), ...clients.map(({ at, node }) => pod(at, { node })));
    await runs('friends/server', ...clients.map((c) => c.at));
    const server = await addressOf('friends/server');
    for (const { at } of clients) expect([at, (await answers(at, server)).trim()]).toEqual([at, 'secrets']); // nothing forbids it yet
    await create({
      apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name: 'friends-only', namespace: 'friends' },
      spec: { podSelector: { matchLabels: { app: 'server' } }, policyTypes: ['Ingress'], ingress: [{ from: [{ podSelector: {} }] }] },
    });
    await until('the policy to hold', 60_000, async () => (await answers('strangers/n2', server)).trim() !== 'secrets');
    await hold();
  }, long);
  test('hold while what enforces them restarts, and after it', async () => {
    const old = await podsOf();
    await kubectl('-n', 'platform', 'delete', 'pods', '-l', 'app=network-policy', '--wait=false');
    await hold();
    await kubectl('-n', 'platform', 'rollout', 'status', 'daemonset/network-policy', '--timeout=120s');
    expect((await podsOf()).filter((p) => old.includes(p))).toEqual([]);
    await hold();
  }, long);
  test('are made anew where rules were lost, and go when they are deleted', async () => {
    await kubectl('-n', 'friends', 'delete', 'networkpolicy', 'friends-only');
    const server = await addressOf('friends/server');
    await until('strangers to be let in', 60_000, async () => (await answers('strangers/n1', server)).trim() === 'secrets');
  }, long);
}); // prettier-ignore

test('users: whoever installs for two of them gives each a namespace that the other cannot reach, and the ingress both', async () => {
  for (const user of ['alice', 'bob']) {
    const ran = await world.server.strata(['app', 'install', 'notes/board', '--user', user, '--set', `path=/${user}`, '--set', `title=${user}s`], { timeoutMs: long });
    expect([ran.code, ran.code === 0 ? '' : ran.stdout.slice(-2_000) + ran.stderr]).toEqual([0, '']);
  }
  for (const user of ['alice', 'bob']) await until(`the board of ${user}`, 60_000, async () => (await asked('n2', 'any.test', `/${user}/`)).startsWith('200 '));
  await create(...nodes.flatMap((node) => ['alice', 'bob'].map((user) => pod(`user-${user}/from-${node}`, { node }))));
  await runs(...nodes.flatMap((node) => ['alice', 'bob'].map((user) => `user-${user}/from-${node}`)));
  const service = await kubectl('-n', 'user-alice', 'get', 'service', 'board', '-o', 'jsonpath={.spec.clusterIP}');
  const there = await kubectl('-n', 'user-alice', 'get', 'pod', '-l', 'app.kubernetes.io/instance=board', '-o', 'jsonpath={.items[0].status.podIP}');
  const places = [`http://${service}/healthz`, `http://${there}:8080/healthz`, 'http://board.user-alice/healthz'];
  for (const node of nodes)
    for (const url of places)
      for (const user of ['alice', 'bob']) {
        const said = await inPod(`user-${user}/from-${node}`, `timeout 3 wget -qO- ${url} 2>&1 || true`);
        expect([user, node, url, said.includes('ok')]).toEqual([user, node, url, user === 'alice']);
      }
  expect(await inPod('user-bob/from-n1', 'nslookup board.user-alice.svc.cluster.local 2>&1 || true')).toContain(service); // it was the network that refused, not the name
  for (const user of ['alice', 'bob']) await world.server.must(['app', 'remove', 'board', '--user', user, '--delete-data', '--yes'], { timeoutMs: long });
  await until('their folders to go', 90_000, async () => (await sh('n1', 'ls -A /strata/rootfs/volumes 2>/dev/null || true')) + (await sh('n2', 'ls -A /strata/rootfs/volumes 2>/dev/null || true')) === '');
}, long); // prettier-ignore

test('sealed-secrets: a secret that is gone is opened again by an operator that restarts', async () => {
  const words = (): Promise<string> => kubectl('-n', 'platform', 'get', 'secret', 'seal-proof', '-o', 'jsonpath={.data.words}').catch(() => '');
  expect(Buffer.from(await words(), 'base64').toString()).toBe('open');
  await kubectl('-n', 'platform', 'scale', 'deployment/sealed-secrets', '--replicas=0');
  await kubectl('-n', 'platform', 'wait', '--for=delete', 'pod', '-l', 'app=sealed-secrets', '--timeout=60s');
  await kubectl('-n', 'platform', 'delete', 'secret', 'seal-proof');
  await kubectl('-n', 'platform', 'scale', 'deployment/sealed-secrets', '--replicas=1');
  await until('the secret to be open again', 90_000, async () => (await words()) === 'b3Blbg==');
}, long); // prettier-ignore

test('log-tail: what a pod says is in the log of its node, with its name', async () => {
  const mark = `mark-${Date.now()}`;
  await create(pod('default/says', { node: 'n2', says: mark }));
  const tail = await kubectl('-n', 'platform', 'get', 'pods', '-l', 'app=log-tail', '--field-selector', 'spec.nodeName=n2', '-o', 'name');
  await until('the line', 60_000, async () => (await kubectl('-n', 'platform', 'logs', tail.trim(), '--tail=200')).includes(`default/says/main: ${mark}\n`));
}, long); // prettier-ignore

test('an image that is deleted on one node comes back there by itself, and no other is touched', async () => {
  const images = async (node: string): Promise<string[]> => (await sh(node, 'ctr -n k8s.io images ls | awk \'NR > 1 { print $1, $3 }\'')).trim().split('\n').sort(); // prettier-ignore
  const [ref, had] = ['strata.local/busybox:1', await images('n1')];
  await sh('n1', `ctr -n k8s.io images rm ${ref}`);
  expect((await images('n1')).some((line) => line.startsWith(`${ref} `))).toBe(false);
  const began = performance.now();
  await until('the image to be back', 90_000, async () => (await images('n1')).some((line) => line.startsWith(`${ref} `)));
  process.stdout.write(`    it was back after ${Math.round((performance.now() - began) / 1000)} s\n`);
  expect(await images('n1')).toEqual(had);
}, long); // prettier-ignore

test('a second apply finds nothing to do', async () => {
  const ran = await world.server.strata(['apply', '-f', spec, '--yes'], { timeoutMs: long });
  expect([ran.code, (await newestRun(world)).steps.changed]).toEqual([0, 0]);
}, long); // prettier-ignore

test('after uninstall each machine is what it was, and no set of addresses is left in the kernel', async () => {
  // the program goes with the uninstall: a copy of it, where nobody looks, tells what is left
  const keep = 'mkdir /tmp/kept; cp $(which ipset) /usr/lib/*/libipset.so.13 /usr/lib/*/libmnl.so.0 /tmp/kept';
  for (const node of nodes) await world.lab.must(node, ['sh', '-c', keep]);
  const sets = async (node: string): Promise<string> => world.lab.must(node, ['sh', '-c', 'LD_LIBRARY_PATH=/tmp/kept /tmp/kept/ipset list -n']);
  expect(await sets('n1')).toContain('KUBE-DST-');
  await world.server.must(['uninstall', world.cluster, '--yes'], { timeoutMs: long });
  for (const node of nodes) {
    expect([node, await sets(node)]).toEqual([node, '']);
    expect([node, differences(before.get(node) ?? [], await snapshot(world.lab, node))]).toEqual([node, []]);
  }
}, long); // prettier-ignore
