import { Bundle, type ClusterSpecInput, type Component, mergedValues } from '@strata/model';
import { plan } from './plan';
import type { BundleContent } from './request';
import { PlanRefused } from './refused';
import { nodesOf, requestOf, specOf } from './testing';

const objects = [{ apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition', metadata: { name: 'seals.x' } }];
function contentOf(components: object[]): BundleContent {
  const read = Bundle.parse({ apiVersion: 'strata/v1', kind: 'Bundle', metadata: { name: 'shop', version: '1.0.0' }, components });
  return {
    version: '1.0.0', images: [],
    components: read.components.map((component: Component) => ({ component, objects: component.kind === 'crds' ? objects : [], digest: 'chart' in component ? 'a'.repeat(64) : null })),
  }; // prettier-ignore
}
const shop = contentOf([
  { name: 'seals', kind: 'crds', manifests: ['crds/seals.yaml'] },
  { name: 'db', kind: 'chart', chart: 'charts/db', needs: ['seals'], values: { size: 1, disk: { gib: 5, class: 'fast' } } },
  { name: 'web', kind: 'application', chart: 'charts/web', namespace: 'shop', release: 'front', needs: ['db'], timeout: '90s' },
  { name: 'note', kind: 'manifests', manifests: ['manifests/note.yaml'] },
]);
type BundleUse = NonNullable<ClusterSpecInput['spec']['bundles']>[number];
const planned = (use: BundleUse, content = shop): ReturnType<typeof plan> =>
  plan(requestOf(specOf({ nodes: nodesOf(2), bundles: [use, 'after'] }), { bundles: { shop: content, after: contentOf([{ name: 'last', kind: 'manifests', manifests: ['manifests/a.yaml'] }]) } })); // prettier-ignore
const refused = (use: BundleUse, content?: BundleContent): string => {
  try {
    planned(use, content);
  } catch (error) {
    if (error instanceof PlanRefused) return `${error.code}: ${error.message}; ${error.remedy}`;
    throw error;
  }
  throw new Error('it was planned');
};

describe('bundles in a plan', () => {
  const step = (key: string): ReturnType<typeof plan>['steps'][number] => {
    const found = planned('shop').steps.find((s) => s.key === key);
    if (!found) throw new Error(`no step ${key}`);
    return found;
  };
  const needsOf = (key: string): string[] => step(key).needs.filter((n) => n.startsWith('cluster/') && n !== 'cluster/network.ready');

  it('each component waits for those that it needs, and for no other; the next bundle for all', () => {
    expect(needsOf('cluster/manifests.apply@shop.seals')).toEqual([]);
    expect(needsOf('cluster/manifests.apply@shop.note')).toEqual([]);
    expect(needsOf('cluster/helm.release@shop.db')).toEqual(['cluster/manifests.apply@shop.seals', 'cluster/artifact.obtain@helm']);
    expect(needsOf('cluster/helm.release@shop.web')).toEqual(['cluster/helm.release@shop.db', 'cluster/artifact.obtain@helm']);
    expect(needsOf('cluster/manifests.apply@after.last')).toHaveLength(4);
  });
  it('a chart goes with its content, place and values; a definition is waited for until it is served', () => {
    expect(step('cluster/helm.release@shop.web').input).toMatchObject({ release: 'front', namespace: 'shop', timeoutMs: 90_000, digest: 'a'.repeat(64) });
    expect(step('cluster/manifests.apply@shop.seals').input).toMatchObject({ gates: [{ established: 'seals.x' }] });
  });
  it("the spec's values go over the bundle's", () => {
    const steps = planned({ name: 'shop', values: { db: { disk: { gib: 9 } } } }).steps;
    expect(steps.find((s) => s.key === 'cluster/helm.release@shop.db')?.input).toMatchObject({ values: { size: 1, disk: { gib: 9, class: 'fast' } } });
    expect(mergedValues({ a: { b: 1, c: [1, 2] }, d: 1 }, { a: { c: [3] }, d: null })).toEqual({ a: { b: 1, c: [3] }, d: null });
  });
  it('a bundle takes what it needs to know from the cluster, and the spec goes over it', () => {
    const walls = contentOf([{ name: 'walls', kind: 'chart', chart: 'charts/walls', values: { ranges: [{ $cluster: 'podCidr' }], net: { $cluster: 'serviceCidr' }, of: { $cluster: 'name' } } }]);
    const values = (use: BundleUse): unknown => (planned(use, walls).steps.find((s) => s.key === 'cluster/helm.release@shop.walls')?.input as { values: unknown }).values;
    expect(values('shop')).toEqual({ ranges: ['10.244.0.0/16'], net: '10.96.0.0/12', of: 'home' });
    expect(values({ name: 'shop', values: { walls: { of: { $cluster: 'name' } } } })).toMatchObject({ of: { $cluster: 'name' } }); // the spec's are data
    expect(() => contentOf([{ name: 'walls', kind: 'chart', chart: 'charts/walls', values: { a: [{ $cluster: 'secrets' }] } }])).toThrow(/there is no .+secrets.+ of a cluster/);
  }); // prettier-ignore
  it('a group of nodes has values of its own over all others; a chart that is the same everywhere takes none', () => {
    const tail = contentOf([{ name: 'tail', kind: 'chart', chart: 'charts/tail', perGroup: true, values: { files: 10, every: 5 } }, { name: 'db', kind: 'chart', chart: 'charts/db' }]);
    const use = { name: 'shop', values: { tail: { files: 20 } }, groups: { gpu: { tail: { every: 1 } } } };
    const nodes = nodesOf(2).map((n, i) => (i === 1 ? { ...n, group: 'gpu' } : n));
    const of = (bundle: BundleUse): ReturnType<typeof plan> => plan(requestOf(specOf({ nodes, bundles: [bundle] }), { bundles: { shop: tail } }));
    const made = of(use).steps;
    expect(made.find((s) => s.key === 'cluster/helm.release@shop.tail')?.input).toMatchObject({ values: { files: 20, every: 5, nodeGroups: { gpu: { every: 1 } } } });
    expect(made.find((s) => s.key === 'n2/kubernetes.node-settings')?.input).toMatchObject({ labels: { 'strata.local/group': 'gpu' } });
    const refusal = (groups: object): unknown => { try { return of({ ...use, groups } as BundleUse); } catch (e) { return e instanceof PlanRefused ? e.message : e; } };
    expect(refusal({ gpu: { db: {} } })).toMatch(/group of nodes for "db" of the bundle "shop", which is the same on all nodes/);
    expect(String(refusal({ cpu: { tail: {} } }))).toMatch(/no node has the group \\?"cpu\\?"/);
  }); // prettier-ignore
  it('nodes get what takes the sets of network policies out again, where something in a bundle enforces them', () => {
    const packages = (content: BundleContent): string => JSON.stringify(planned('shop', content).steps.find((s) => s.key === 'n1/packages.install')?.input);
    expect(packages(shop)).not.toContain('ipset');
    expect(packages(contentOf([{ name: 'walls', kind: 'chart', chart: 'charts/walls', provides: ['network-policy'] }]))).toContain('ipset');
  });
  it('values of nothing, and a bundle that cannot be read, are refused with their place', () => {
    expect(refused({ name: 'shop', values: { note: {} } })).toBe('bundle.no-chart: the spec has values for "note" of the bundle "shop", which has no chart of that name; name one of: db, web');
    expect(refused('shop', { version: '', images: [], components: [], broken: 'bundle.yaml:3:1: metadata: is missing' })).toContain('cannot be used: bundle.yaml:3:1');
  }); // prettier-ignore
  it('Helm is obtained only where a chart needs it', () => {
    const only = contentOf([{ name: 'note', kind: 'manifests', manifests: ['manifests/note.yaml'] }]);
    const obtains = (content: BundleContent): boolean => planned('shop', content).steps.some((s) => s.key === 'cluster/artifact.obtain@helm');
    expect([obtains(only), obtains(shop)]).toEqual([false, true]);
  });
});
