import type { ClusterSpecInput, Plan } from '@strata/model';
import { plan, PlanRefused } from './index';
import { intentOf, nodesOf, requestOf, specOf } from './testing/fixtures';

type Storage = ClusterSpecInput['spec']['storage'];
const spec = (nodes: number, storage: Storage = { kind: 'juicefs' }): ReturnType<typeof specOf> => specOf({ nodes: nodesOf(nodes), storage });
const stepOf = (made: Plan, key: string): Plan['steps'][number] => made.steps.find((s) => s.key === key) as Plan['steps'][number];
const keysOf = (made: Plan, node: string): string[] => made.steps.filter((s) => s.node === node).map((s) => s.key);
const enrolled = new Map(['n1', 'n2', 'n3'].map((name) => [name, `id-${name}`]));

describe('a shared file system', () => {
  const made = plan(requestOf(spec(3)));

  it('is mounted on each node before its kubelet starts, and after there is a volume', () => {
    expect(stepOf(made, 'n2/juicefs.mount').needs).toContain('n1/storage.format');
    expect(stepOf(made, 'n2/kubernetes.join').needs).toContain('n2/juicefs.mount');
    expect(stepOf(made, 'n1/kubernetes.kubelet-start').needs).toContain('n1/juicefs.mount');
    expect(made.steps.filter((s) => s.task === 'localfs.layout')).toEqual([]);
  });
  it('has one metadata service, one object store and one volume, on the control plane', () => {
    const services = made.steps.filter((s) => /^(metadata|objects|storage)\./.test(s.task) && s.task !== 'objects.check').map((s) => s.key);
    expect(services).toEqual(['n1/metadata.redis', 'n1/objects.seaweedfs', 'n1/storage.format', 'n1/metadata.dumps']);
    expect(JSON.stringify(stepOf(made, 'n1/packages.install').input)).toContain('redis-tools');
    expect(JSON.stringify(stepOf(made, 'n2/packages.install').input)).not.toContain('redis');
  });
  it('is seen by each node as all others write it, which nothing waits for', () => {
    expect(stepOf(made, 'n3/view.read').needs).toEqual(['n3/view.write', 'n1/view.write', 'n2/view.write']);
    expect(made.steps.filter((s) => s.needs.some((need) => need.endsWith('/view.read')))).toEqual([]);
  });
  it('opens its two ports where they are, and nowhere else', () => {
    const ports = (node: string): string => JSON.stringify(stepOf(made, `${node}/firewall.open`).input);
    for (const port of ['6390', '8333']) expect([ports('n1').includes(`"port":${port}`), ports('n2').includes(`"port":${port}`)]).toEqual([true, false]);
    expect(ports('n1')).not.toMatch(/"port":1?8334/);
  });
  it('runs its services where the spec says, and the names lead there', () => {
    const elsewhere = plan(requestOf(spec(3, { kind: 'juicefs', metadata: { node: 'n2' }, objects: { node: 'n3' } })));
    expect(keysOf(elsewhere, 'n2')).toContain('n2/storage.format');
    for (const node of ['n1', 'n2', 'n3']) {
      expect(stepOf(elsewhere, 'n2/storage.format').needs).toContain(`${node}/objects.check`);
      expect(stepOf(elsewhere, `${node}/objects.check`).needs).toEqual(expect.arrayContaining(['n3/objects.seaweedfs', 'n2/metadata.redis']));
    }
    const [api, meta, objects] = (stepOf(elsewhere, 'n1/hosts.block').input as { entries: { address: string; names: string[] }[] }).entries;
    expect([api?.address, meta, objects]).toEqual([
      '10.0.0.11',
      { address: '10.0.0.12', names: ['meta.home.strata.internal'] },
      { address: '10.0.0.13', names: ['objects.home.strata.internal'] },
    ]);
  });
  it('gives no secret to the plan, and to the metadata only what passwords are proved by', () => {
    const refs = [...JSON.stringify(made).matchAll(/"\$secret":"([^"]+)"/g)].map((m) => m[1] ?? '').filter((ref) => ref.includes('storage'));
    expect(refs.every((ref) => /^(derive|mint):storage-/.test(ref))).toBe(true);
    expect(JSON.stringify(stepOf(made, 'n1/metadata.redis').input)).not.toContain('metadata-node:');
  });
  it('is refused while the node of a service is away', () => {
    const make = (): unknown => plan(requestOf(spec(3, { kind: 'juicefs', objects: { node: 'n3' } }), { absent: ['n3'] }));
    expect(make).toThrow(PlanRefused);
    expect(make).toThrow(/a part of the shared file system runs there/);
  });
  it('works with one node, and with K3s', () => {
    expect(keysOf(plan(requestOf(spec(1))), 'n1')).toContain('n1/view.write');
    const k3s = plan(requestOf(specOf({ nodes: nodesOf(2), distribution: { kind: 'k3s' }, storage: { kind: 'juicefs' } })));
    expect(stepOf(k3s, 'n1/k3s.server').needs).toContain('n1/juicefs.mount');
    expect(stepOf(k3s, 'n2/k3s.agent').needs.join()).toContain('k3s.token'); // which waits for the line of the node
  });
});

describe('nodes that come and go', () => {
  it('one more: it is let in, mounts before its kubelet starts, and all see each other', () => {
    const made = plan(requestOf(spec(3), { enrolled, intent: intentOf('add-node', ['n3']) }));
    expect(keysOf(made, 'n1')).toEqual(['n1/metadata.redis', 'n1/view.write', 'n1/view.read']);
    expect(keysOf(made, 'n2')).toEqual(['n2/view.write', 'n2/view.read']);
    expect(stepOf(made, 'n3/juicefs.mount').needs).toContain('n1/metadata.redis');
    expect(stepOf(made, 'n3/kubernetes.join').needs).toContain('n3/juicefs.mount');
  });
  it('one less: it is let in no more, once its own part is over, even where that cannot be reached', () => {
    for (const absent of [[], ['n3']]) {
      const made = plan(requestOf(spec(3), { enrolled, absent, intent: intentOf('remove-node', ['n3'], absent.length > 0) }));
      const step = stepOf(made, 'n1/metadata.redis');
      expect(step.needs).toEqual(['n3/agent.remove']);
      expect(JSON.stringify(step.input)).not.toContain('node-hash:n3');
    }
  });
  it.each([['the metadata', { metadata: { node: 'n2' } }], ['the objects', { objects: { node: 'n2' } }]])('the node of %s may not leave', (what, parts) => {
    const make = (): unknown => plan(requestOf(spec(3, { kind: 'juicefs', ...parts }), { enrolled, intent: intentOf('remove-node', ['n2']) }));
    expect(make).toThrow(new RegExp(`n2 holds ${what}`));
  }); // prettier-ignore
  it('uninstall takes all of it back, also where the spec says local by now', () => {
    for (const storage of [undefined, { kind: 'juicefs' as const }]) {
      const made = plan(requestOf(spec(2, storage), { enrolled, intent: intentOf('uninstall') }));
      const tasks = new Set(made.steps.filter((s) => s.node === 'n2' && s.action === 'undo').map((s) => s.task));
      for (const task of ['objects.minio', 'juicefs.mount', 'juicefs.install', 'objects.seaweedfs', 'metadata.redis', 'view.write', 'localfs.layout'])
        expect([task, tasks.has(task)]).toEqual([task, true]);
    }
  });
  test('a look at the view is a plan of its own: all write anew, all read, nothing else, and nothing is unwound', () => {
    const asked = specOf({ nodes: nodesOf(2), storage: { kind: 'juicefs' }, policy: { onFailure: 'unwind' } });
    const made = plan(requestOf(asked, { intent: intentOf('verify-storage') }));
    expect(made.steps.map((s) => s.key).sort()).toEqual(['n1/view.read', 'n1/view.write', 'n2/view.read', 'n2/view.write']);
    expect(stepOf(made, 'n1/view.write').input).toMatchObject({ run: made.id });
    expect(new Set(made.steps.map((s) => s.onFailure))).toEqual(new Set(['hold-dependents']));
    expect(() => plan(requestOf(specOf({ nodes: nodesOf(1) }), { intent: intentOf('verify-storage') }))).toThrow(/there is no shared view/);
  });
  describe('a restore', () => {
    const asked = specOf({ nodes: nodesOf(2), storage: { kind: 'juicefs' } });
    const both = new Map([['n1', 'id-1'], ['n2', 'id-2']]); // prettier-ignore
    it('closes the metadata, has every node leave, and only then loads; all mount and look after that', () => {
      const made = plan(requestOf(asked, { intent: { ...intentOf('restore-storage'), from: 'current' }, enrolled: both }));
      const before = (key: string): string[] => [...new Set(stepOf(made, key).needs.flatMap((k) => [k, ...before(k)]))];
      for (const node of ['n1', 'n2']) {
        expect(before(`${node}/storage.leave`)).toContain('n1/storage.fence');
        expect(before('n1/storage.load')).toContain(`${node}/storage.leave`);
        expect(before(`${node}/juicefs.mount`)).toContain('n1/storage.load');
        expect(before('n1/storage.settle')).toEqual(expect.arrayContaining([`${node}/view.write`, `${node}/view.read`]));
      }
      expect(stepOf(made, 'n1/storage.load').input).toMatchObject({ run: made.id, from: 'current' });
      expect(new Set(made.steps.map((s) => s.onFailure))).toEqual(new Set(['hold-dependents']));
    });
    it('is refused while a node is away, and for one that left the spec', () => {
      const make = (more: object): unknown => plan(requestOf(asked, { intent: intentOf('restore-storage'), enrolled: both, ...more }));
      expect(() => make({ absent: ['n2'] })).toThrow(/n2 cannot be reached/);
      expect(() => make({ dropped: ['n3'] })).toThrow(/n3 is in the cluster, but not in its spec/);
      expect(() => plan(requestOf(specOf({ nodes: nodesOf(1) }), { intent: intentOf('restore-storage') }))).toThrow(/no metadata to restore/);
    });
  });
});
