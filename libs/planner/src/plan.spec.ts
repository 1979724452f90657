import type { Catalog } from '@strata/model';
import { checkPlan, PlanFaulty, plan, PlanRefused, precheckSteps } from './index';
import { taskNamed } from '@strata/tasks';
import { bareMetal, catalogOf, factsOf, intentOf, labNode, lxc, nodesOf, requestOf, specOf } from './testing/fixtures';

const refused = (make: () => unknown): PlanRefused => {
  try {
    make();
  } catch (error) {
    if (error instanceof PlanRefused) return error;
    throw error;
  }
  throw new Error('it was planned');
};

describe('what cannot be planned is refused with the way out', () => {
  const one = nodesOf(1);
  it('an unknown version names the known ones', () => {
    const error = refused(() => plan(requestOf(specOf({ nodes: one, distribution: { kind: 'kubernetes', version: '1.20.1' } }))));
    expect(error.code).toBe('unknown-version');
    expect(error.remedy).toContain('1.37.2');
    expect(refused(() => plan(requestOf(specOf({ nodes: one, distribution: { kind: 'k3s', version: '1.20.1' } })))).remedy).toContain('1.34.4+k3s1');
  });
  it('K3s that nobody can obtain names both remedies, and is planned once it is in the store', () => {
    const k3s = specOf({ nodes: one, distribution: { kind: 'k3s' } });
    const unobtainable = ['k3s@1.34.4+k3s1'];
    const error = refused(() => plan(requestOf(k3s, { unobtainable })));
    expect(error.remedy).toContain('mirror directory');
    expect(error.remedy).toContain('spec.distribution.kind: kubernetes');
    const artifact = { kind: 'file' as const, name: 'k3s', version: '1.34.4+k3s1', blob: { sha256: 'a'.repeat(64), size: 1 } };
    const catalog: Catalog = { ...catalogOf(), obtained: { 'k3s@1.34.4+k3s1': artifact } };
    expect(plan(requestOf(k3s, { unobtainable, catalog })).distribution).toEqual({ kind: 'k3s', version: '1.34.4+k3s1' });
  });
  it('a wheel that is not of its project, which nobody allowed, names both remedies', () => {
    const shared = (allowUnofficial: boolean): ReturnType<typeof specOf> =>
      specOf({ nodes: one, storage: { kind: 'juicefs' }, artifacts: { allowUnofficial } });
    const key = catalogOf().entries.filter((e) => e.name === 'seaweedfs').map((e) => `${e.name}@${e.version}`); // prettier-ignore
    const wheel = { from: 'recipe' as const, recipe: 'seaweedfs', publisher: 'somebody', unofficial: true };
    const catalog: Catalog = { ...catalogOf(), entries: catalogOf().entries.map((e) => (e.name === 'seaweedfs' ? { ...e, sources: [wheel] } : e)) };
    const error = refused(() => plan(requestOf(shared(false), { unobtainable: key, catalog })));
    expect([error.code, error.message]).toEqual(['artifact.unobtainable', `no source gives ${key.join('')}`]);
    expect(error.remedy).toMatch(/mirror directory[^]*artifacts.allowUnofficial: true/);
  });
  it('minikube, unknown bundles, bundles on K3s, a second control plane', () => {
    expect(refused(() => plan(requestOf(specOf({ nodes: one, distribution: { kind: 'minikube' } })))).code).toBe('minikube.linux');
    expect(refused(() => plan(requestOf(specOf({ nodes: one, bundles: ['nope'] })))).message).toContain('"nope"');
    const demo = { demo: { version: '1.0.0', images: [], components: [] } };
    expect(refused(() => plan(requestOf(specOf({ nodes: one, bundles: ['demo'], distribution: { kind: 'k3s' } }), { bundles: demo }))).code).toBe(
      'k3s.bundles',
    );
    expect(refused(() => plan(requestOf(specOf({ nodes: one }), { intent: intentOf('add-node', ['n1']) }))).code).toBe('control-plane.second');
  });
  it('several addresses and no choice names the candidates; a choice by interface or address is taken', () => {
    const two = bareMetal('10.0.0.11');
    const addresses = [...two.addresses, { interface: 'eth1', address: '192.168.7.4', prefix: 24, mac: '' }];
    const facts = new Map([['n1', { ...two, addresses }]]);
    const node = { name: 'n1', role: 'control-plane' as const, ssh: { host: '10.0.0.11' } };
    const error = refused(() => plan(requestOf(specOf({ nodes: [node] }), { facts })));
    expect(error.code).toBe('network.choose-address');
    expect(error.remedy).toContain('10.0.0.11 (eth0), 192.168.7.4 (eth1)');
    const addressIn = (address: string): unknown =>
      plan(requestOf(specOf({ nodes: [{ ...node, address }] }), { facts })).steps.find((s) => s.task === 'kubernetes.api')?.input;
    expect(addressIn('eth1')).toMatchObject({ address: '192.168.7.4' });
    expect(addressIn('10.0.0.11')).toMatchObject({ address: '10.0.0.11' });
    expect(refused(() => addressIn('10.9.9.9')).code).toBe('network.no-such-address');
    const tunnel = new Map([['n1', { ...two, addresses: [...two.addresses, { interface: 'wg0', address: '10.9.0.4', prefix: 24, mac: '' }] }]]);
    const step = (over: object): unknown =>
      plan(requestOf(specOf({ nodes: [{ ...node, ...over }] }), { facts: tunnel })).steps.find((s) => s.task === 'kubernetes.api')?.input;
    expect([step({}), step({ address: 'wg0' })]).toMatchObject([{ address: '10.0.0.11' }, { address: '10.9.0.4' }]);
    const k3s = specOf({ nodes: [{ ...node, address: 'eth1' }], distribution: { kind: 'k3s' } });
    expect(plan(requestOf(k3s, { facts })).steps.find((s) => s.task === 'k3s.config')?.input).toMatchObject({ flannelInterface: 'eth1' });
  });
  it('a control plane that is away, an unknown node, a node that cannot be reached', () => {
    const spec = specOf({ nodes: nodesOf(2) });
    expect(refused(() => plan(requestOf(spec, { absent: ['n1'] }))).code).toBe('control-plane.absent');
    expect(refused(() => plan(requestOf(spec, { intent: intentOf('remove-node', ['n9']) }))).code).toBe('unknown-node');
    expect(refused(() => plan(requestOf(spec, { absent: ['n2'], intent: intentOf('remove-node', ['n2']) }))).remedy).toContain('--force');
    expect(refused(() => plan(requestOf(spec, { intent: intentOf('remove-node', ['n1']) }))).code).toBe('control-plane.last');
  });
});

describe('what is planned', () => {
  it('gives a node that is away no step, says so, and lets nobody wait for it', () => {
    const made = plan(requestOf(specOf({ nodes: nodesOf(3) }), { absent: ['n3'] }));
    expect(made.absent).toEqual(['n3']);
    expect(made.skipped[0]?.what).toBe('n3');
    expect(made.steps.some((s) => s.node === 'n3' || s.needs.some((n) => n.startsWith('n3/')))).toBe(false);
  });
  it('takes back what can be reached even when the control plane is gone', () => {
    const made = plan(requestOf(specOf({ nodes: nodesOf(2) }), { absent: ['n1'], enrolled: new Map([['n2', 'id']]), intent: intentOf('uninstall', [], true) }));
    expect(made.steps.filter((s) => s.node === 'n1').map((s) => s.task)).toEqual(['agent.remove']);
    expect(made.steps.some((s) => s.key === 'n2/kubernetes.join' && s.action === 'undo')).toBe(true);
  });
  it('settles for what a fact demands, and for nothing more', () => {
    const spec = specOf({ nodes: nodesOf(1) });
    const config = (kind: typeof bareMetal): unknown =>
      plan(requestOf(spec, { facts: factsOf(spec, kind) })).steps.find((s) => s.task === 'kubernetes.config')?.input;
    expect(config(bareMetal)).toMatchObject({ kubelet: {}, control: { proxy: { mode: 'nftables' } } });
    expect(JSON.stringify(config(bareMetal))).not.toMatch(/oomScoreAdj|conntrack|failCgroupV1|nearlyFullDisk/);
    expect(config(lxc)).toMatchObject({ kubelet: { oomScoreAdj: 0 }, control: { proxy: { mode: 'nftables', oomScoreAdj: 0, conntrack: 'leave' } } });
    expect(config(labNode)).toMatchObject({ kubelet: { oomScoreAdj: 0, failCgroupV1: false, nearlyFullDisk: true } });
    expect(config((a) => bareMetal(a, { memory: { total: 16e9, available: 8e9, limit: null, swap: 2e9 } }))).toMatchObject({ kubelet: { failSwapOn: false } });
    expect(config((a) => bareMetal(a, { kernel: '5.10.0-28-amd64' }))).toMatchObject({ control: { proxy: { mode: 'iptables' } } });
  });
  it('warns when a new node needs other settings of the whole cluster', () => {
    const spec = specOf({ nodes: nodesOf(2) });
    const facts = new Map([['n1', bareMetal('10.0.0.11')], ['n2', lxc('10.0.0.12')]]); // prettier-ignore
    expect(plan(requestOf(spec, { facts, intent: intentOf('add-node', ['n2']) })).warnings[0]).toContain('kube-proxy');
  });
  it('puts no secret into a plan: only names of secrets', () => {
    const text = JSON.stringify(plan(requestOf(specOf({ nodes: nodesOf(3) }))));
    expect(text.match(/\$secret":"[^"]+/g)?.sort()).toEqual([
      '$secret":"mint:bootstrap-token:n2',
      '$secret":"mint:bootstrap-token:n3',
      '$secret":"output:n1/kubernetes.api#kubeconfig',
    ]);
  });
  it('gives every precheck of a node an input that its task takes', () => {
    const spec = specOf({ nodes: nodesOf(3) });
    for (const check of precheckSteps(spec, 'n2', { facts: factsOf(spec), now: 1 }))
      expect(taskNamed(check.task).input.safeParse(check.input).error).toBeUndefined();
  });
});

describe('a faulty plan', () => {
  const made = plan(requestOf(specOf({ nodes: nodesOf(1) })));
  const check = (change: (p: typeof made) => void): string => {
    const copy = structuredClone(made);
    change(copy);
    try {
      checkPlan(copy, { tasks: taskNamed, catalog: catalogOf() });
    } catch (error) {
      return error instanceof PlanFaulty ? error.message : String(error);
    }
    return '';
  };
  const step = (p: typeof made, key: string): (typeof made.steps)[number] => p.steps.find((s) => s.key === key) ?? p.steps[0]!;
  it('is found out, with words', () => {
    expect(check(() => undefined)).toBe('');
    expect(check((p) => step(p, 'n1/kernel.modules').needs.push('n1/nope'))).toContain('needs n1/nope');
    expect(check((p) => step(p, 'n1/agent.install').needs.push('n1/kubernetes.api'))).toContain('wait for each other');
    expect(check((p) => (step(p, 'n1/kernel.modules').version = 9))).toContain('version 9');
    expect(check((p) => (step(p, 'n1/kernel.modules').input = { modules: ['UPPER'] }))).toContain('modules');
    expect(check((p) => (step(p, 'n1/kernel.modules').node = 'n7'))).toContain('n7');
    expect(check((p) => (step(p, 'n1/runc.install').needs = []))).toContain('without waiting');
  });
});

it("a machine with somebody else's runtime gets ours beside it; the others get it at the usual place", () => {
  const spec = specOf({ nodes: nodesOf(2), native: { containerd: { foreign: 'adopt' } } });
  const docker = { kind: 'docker', version: '20.10.24', package: 'docker.io', unit: 'docker.service', socket: '/run/docker.sock', ours: false };
  const facts = factsOf(spec).set('n2', bareMetal('10.0.0.12', { containerRuntimes: [docker] }));
  const { steps } = plan(requestOf(spec, { facts }));
  const placed = steps.filter((s) => JSON.stringify(s.input).includes('"beside"')).map((s) => s.key);
  expect(placed).toEqual([
    'n2/runc.install', 'n2/cni.install', 'n2/containerd.install', 'n2/images.import@pods', 'n2/kubernetes.config', 'n2/kubernetes.join',
  ]); // prettier-ignore
});
it('an adopted runtime is held back from upgrades with what kubelet calls', () => {
  const spec = specOf({ nodes: nodesOf(1), native: { containerd: { foreign: 'adopt' } } });
  const theirs = { kind: 'containerd', version: '2.1.4', package: 'containerd.io', unit: 'containerd.service', socket: '/run/containerd/containerd.sock', ours: false, cri: true };
  const { steps } = plan(requestOf(spec, { facts: factsOf(spec).set('n1', bareMetal('10.0.0.11', { containerRuntimes: [theirs] })) }));
  expect(steps.find((s) => s.task === 'upgrades.hold')?.input).toEqual({ packages: ['conntrack', 'containerd.io', 'ethtool', 'nftables', 'runc', 'socat'] });
  expect(steps.find((s) => s.task === 'containerd.install')?.input).toMatchObject({ place: 'adopted' });
}); // prettier-ignore
it('what others than the vendor publish is asked for only where the spec allows it', () => {
  const catalog = catalogOf();
  const unofficial = { from: 'recipe' as const, recipe: 'runc', publisher: 'someone', unofficial: true };
  for (const e of catalog.entries) if (e.name === 'runc') e.sources.push(unofficial);
  const asks = (artifacts: { allowUnofficial?: boolean }): unknown[] => {
    const { steps } = plan(requestOf(specOf({ nodes: nodesOf(1), artifacts }), { catalog }));
    return steps.filter((s) => /unofficial|someone/.test(JSON.stringify(s))).map(({ input, title }) => ({ input, title }));
  };
  expect(asks({})).toEqual([]);
  const title = 'runc 1.4.3 is in the store; it may come from someone';
  expect(asks({ allowUnofficial: true })).toEqual([{ input: { name: 'runc', version: '1.4.3', unofficial: true }, title }]);
});
