import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { newestRun, outcomes, ready } from './support/cluster';
import { type Asked, DeadPort, ForwardProxy, mirrorOf } from './support/forward-proxy';
import { PrivateStore } from './support/private-store';
import { until } from './support/program';
import { differences, type Snapshot, snapshot } from './support/snapshot';
import { World } from './support/world';

/**
 * Machines without a way out of their own, and a proxy, once as it is and once one that breaks TLS open under a CA of its own. On every machine and in
 * the server's environment a second, dead proxy is set for everybody: nothing of the cluster's own may ever knock there.
 */
const long = 10 * 60_000;
const two = ['n1', 'n2'];
const host = { apt: 'deb.company.test', images: 'images.company.test' };

let dir: string;
let dead: DeadPort;
let store: PrivateStore;
let world: World;
let proxy: ForwardProxy;
/** Where the nodes' own sources lead. */
let sources: { main: string; security: string };
const before = new Map<string, Snapshot>();

const variables = (url: string): Record<string, string> => {
  const named = ['http_proxy', 'https_proxy', 'all_proxy', 'grpc_proxy'].flatMap((name) => [name, name.toUpperCase()]);
  return { ...Object.fromEntries(named.map((name): [string, string] => [name, url])), NODE_USE_ENV_PROXY: '1' };
};

beforeAll(async () => {
  dir = mkdtempSync('/var/lib/strata-proxy-test-');
  chmodSync(dir, 0o755); // apt fetches as another user
  dead = await DeadPort.listen();
  store = await PrivateStore.make(dir);
  store.pauseNeedsModule();
  world = await World.make(
    { nodes: 2, base: 'bare' },
    { settings: { cacheDir: store.cacheDir, catalogDir: store.catalogDir }, env: variables(`http://127.0.0.1:${dead.port}`) },
  );
  const { lab } = world;
  proxy = await ForwardProxy.listen(lab.hostAddress);
  const poison = Object.entries(variables(`http://${lab.hostAddress}:${dead.port}`));
  const units = `[Manager]\n${poison.map(([name, value]) => `DefaultEnvironment=${name}=${value}\n`).join('')}`;
  for (const name of two) {
    await lab.must(name, ['sh', '-c', 'mkdir -p /etc/systemd/system.conf.d && cat > /etc/systemd/system.conf.d/proxy.conf'], { input: units });
    await lab.must(name, ['sh', '-c', 'cat >> /etc/environment'], { input: poison.map(([k, v]) => `${k}=${v}\n`).join('') });
    await lab.must(name, ['systemctl', 'daemon-reexec']);
    expect(await lab.must(name, ['systemctl', 'show-environment'])).toContain(`HTTPS_PROXY=http://${lab.hostAddress}:${dead.port}`);
    before.set(name, await snapshot(lab, name));
  }
  const lists = await lab.must('n1', ['sh', '-c', 'cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | grep -v "^#"']);
  const uris = [...lists.matchAll(/http:\/\/[^\s\]]+/g)].map((m) => m[0]);
  sources = { main: uris.find((u) => !/security/.test(u)) ?? '', security: uris.find((u) => /security/.test(u)) ?? '' };
  expect(sources.main).not.toBe('');
  await lab.outside('off');
}, long);
afterAll(async () => {
  await world?.dispose();
  await proxy?.close();
  await dead?.close();
  if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
}, 300_000);

/** The lab's spec with a part of it changed. */
const specWith = (change: object): Promise<string> =>
  world.specFile({}, (text) => {
    const spec = parse(text) as { spec: object };
    return stringify({ ...spec, spec: { ...spec.spec, ...change } }, { lineWidth: 0 });
  });
async function applied(spec: string): Promise<void> {
  const ran = await world.server.strata(['apply', '-f', spec, '--yes'], { timeoutMs: long });
  expect([ran.code, ran.code === 0 ? '' : ran.stdout.slice(-4_000) + ran.stderr.slice(-1_000)]).toEqual([0, '']);
}
async function uninstalled(): Promise<void> {
  const ran = await world.server.strata(['uninstall', world.cluster, '--yes'], { timeoutMs: long });
  expect([ran.code, ran.code === 0 ? '' : ran.stdout.slice(-4_000)]).toEqual([0, '']);
  for (const name of two) expect([name, ...differences(before.get(name) ?? [], await snapshot(world.lab, name))]).toEqual([name]);
}
const hostOf = (url: string): string => new URL(url).hostname;
const by = (who: 'server' | 'nodes'): Asked[] => proxy.log.filter((a) => (a.from === world.lab.hostAddress || a.from === '127.0.0.1') === (who === 'server'));
/** What no download is about: names, addresses and ports of the cluster. */
function ofTheCluster({ host, port }: Asked): boolean {
  const own = [...two, ...world.lab.nodes.map((n) => n.address), world.lab.hostAddress, 'localhost', 'kubernetes'];
  const named = own.includes(host) || /(^|\.)(strata\.internal|svc|cluster\.local|default)$/.test(host) || /^(10\.(78|244|96|97)|127)\./.test(host);
  return named || [6443, 10250, 10257, 10259, 2379, 2380, ...Object.values(world.server.ports)].includes(port);
}
/** The environment of a running program, by its unit. */
async function environmentOf(node: string, unit: string): Promise<string[]> {
  const pid = (await world.lab.must(node, ['systemctl', 'show', '-p', 'MainPID', '--value', unit])).trim();
  return (await world.lab.must(node, ['cat', `/proc/${pid}/environ`])).split('\0');
}
const proxies = (environment: readonly string[]): string[] => environment.filter((line) => /proxy.*=./i.test(line));

function clusterKnowsNothing(): void {
  test('nothing of the cluster asked the proxy, and nobody the dead one', () => {
    expect(proxy.log.filter(ofTheCluster)).toEqual([]);
    expect(dead.heard).toEqual([]);
  });
  test('no part of the cluster was told a proxy', async () => {
    for (const name of two) for (const unit of ['stratad', 'kubelet']) expect([name, unit, ...proxies(await environmentOf(name, unit))]).toEqual([name, unit]);
    expect(await world.lab.must('n1', ['sh', '-c', 'grep -il proxy= /etc/kubernetes/manifests/* || true'])).toBe('');
    expect((await world.lab.must('n1', ['cat', '/etc/kubernetes/manifests/kube-apiserver.yaml'])).toLowerCase()).not.toContain('_proxy');
    const system = await world.server.kubectl(world.cluster, ['get', 'daemonsets,deployments,pods', '-A', '-o', 'json']);
    expect(system.toLowerCase()).not.toMatch(/https?_proxy/);
  });
}

const demo = { bundles: ['demo'] }; // its image is made of Debian packages
async function obtained(): Promise<void> {
  const ended = outcomes(await world.server.api.eventsOf((await newestRun(world)).id));
  expect(['image-pause', 'image-web'].map((name) => [name, ended.get(`cluster/artifact.obtain@${name}`)])).toEqual([['image-pause', 'changed'], ['image-web', 'changed']]); // prettier-ignore
}

describe('a proxy', () => {
  const network = { proxy: { http: '' } };
  beforeAll(async () => {
    network.proxy.http = proxy.url;
    store.forget('image-pause');
    store.forget('image-web');
    await applied(await specWith({ network, ...demo }));
  }, long);

  test('an install through it works', async () => {
    expect(await ready(world)).toEqual({ n1: true, n2: true });
  });
  test("the nodes' packages came through it, and they asked for nothing but what their sources name", () => {
    const debs = by('nodes').filter((a) => a.path?.endsWith('.deb'));
    expect([...new Set(debs.map((a) => a.from))].sort()).toEqual(world.lab.nodes.map((n) => n.address).sort());
    const named = [sources.main, sources.security].filter(Boolean).map(hostOf);
    expect(by('nodes').filter((a) => !named.includes(a.host))).toEqual([]);
  });
  test('what the server lacked came through it: Debian packages as they are, a Go module in a tunnel', async () => {
    await obtained();
    expect(by('server').some((a) => a.how === 'plain' && /busybox.*\.deb$/.test(a.path ?? ''))).toBe(true);
    expect(by('server').some((a) => a.how === 'tunnel' && a.port === 443)).toBe(true);
  });
  clusterKnowsNothing();
  test('containerd has it, and what lies past it', async () => {
    const environment = await environmentOf('n2', 'containerd');
    expect(environment).toContain(`HTTPS_PROXY=${proxy.url}`);
    const past = environment.find((line) => line.startsWith('NO_PROXY='))?.slice('NO_PROXY='.length).split(','); // prettier-ignore
    expect(past).toEqual(expect.arrayContaining(['.svc', '.cluster.local', '.strata.internal', '10.244.0.0/16', '10.96.0.0/12', ...two, ...world.lab.nodes.map((n) => n.address)])); // prettier-ignore
  });
  test('another apply changes nothing', async () => {
    await applied(await specWith({ network, ...demo }));
    expect(await newestRun(world)).toMatchObject({ result: 'done', steps: { changed: 0, failed: 0 } });
  }, long); // prettier-ignore
  test('the machines are given back as they were', uninstalled, long);
});

describe('a proxy that opens TLS under a CA of the company, with mirrors behind it', () => {
  beforeAll(async () => {
    proxy.intercept = true;
    proxy.log.length = 0;
    proxy.origins.set(host.apt, mirrorOf({ main: sources.main, security: sources.security }));
    proxy.origins.set(host.images, store.registryOf(store.image('image-web')));
    store.webFrom(`${host.images}/demo/web:1.0`);
    store.forget('image-pause');
    store.forget('image-web');
    rmSync(join(world.server.dir, 'user/go'), { recursive: true, force: true });
    mkdirSync(join(world.server.dir, 'user'), { recursive: true });
    writeFileSync(join(world.server.dir, 'user/company.pem'), proxy.authority.certPem);
    const native = {
      apt: { mirror: `https://${host.apt}/main`, ...(sources.security === '' ? {} : { securityMirror: `https://${host.apt}/security` }) },
      containerd: { mirrors: { 'registry.company.test': [`https://${host.images}`] } },
    };
    await applied(await specWith({ network: { proxy: { http: proxy.url }, caCertificates: ['file:company.pem'] }, native, ...demo }));
  }, long);

  test('an install through it works', async () => {
    expect(await ready(world)).toEqual({ n1: true, n2: true });
  });
  test("the nodes' packages came from the mirror, over TLS", () => {
    const debs = by('nodes').filter((a) => a.path?.endsWith('.deb'));
    expect([...new Set(debs.map((a) => a.from))].sort()).toEqual(world.lab.nodes.map((n) => n.address).sort());
    expect(debs.filter((a) => a.how !== 'intercepted' || a.host !== host.apt)).toEqual([]);
  });
  test('what the server lacked came through it, and it believed the CA: a Go module, an image', async () => {
    await obtained();
    const opened = by('server').filter((a) => a.how === 'intercepted');
    expect(opened.some((a) => a.path?.includes('/go-difflib/@v/v1.0.0.zip'))).toBe(true);
    expect(opened.some((a) => a.host === host.images && a.path?.startsWith('/v2/demo/web/blobs/'))).toBe(true);
  });
  test("a pod's image that no node has is pulled from the registry's mirror", async () => {
    const { server, cluster } = world;
    await server.kubectl(cluster, ['run', 'pulled', '--image', 'registry.company.test/web:1', '--restart', 'Never']);
    const phase = (): Promise<string> => server.kubectl(cluster, ['get', 'pod', 'pulled', '-o', 'jsonpath={.status.phase}']);
    await until('the pod to run', 120_000, async () => (await phase()) === 'Running');
    expect(by('nodes').some((a) => a.how === 'intercepted' && a.host === host.images && a.path?.startsWith('/v2/web/'))).toBe(true);
    await server.kubectl(cluster, ['delete', 'pod', 'pulled', '--now']);
  }, 150_000); // prettier-ignore
  clusterKnowsNothing();
  test('what leaves the spec leaves the machines, and the cluster goes on', async () => {
    await applied(await specWith(demo));
    expect(proxies(await environmentOf('n2', 'containerd')).filter((line) => line.includes(proxy.url))).toEqual([]);
    const left = 'ls /etc/apt/apt.conf.d/99strata /etc/apt/strata.list /etc/containerd/certs.d/*/hosts.toml /usr/local/share/ca-certificates/strata* 2>/dev/null || true';
    expect(await world.lab.must('n2', ['sh', '-c', left])).toBe('');
    expect(await ready(world)).toEqual({ n1: true, n2: true });
  }, long); // prettier-ignore
  test('the machines are given back as they were', uninstalled, long);
});
