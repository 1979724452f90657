import { type AppWish, Component, type Plan, type RunIntent } from '@strata/model';
import { plan } from './plan';
import { PlanRefused } from './refused';
import type { AppKnown, BundleContent } from './request';
import { intentOf, nodesOf, requestOf, specOf } from './testing';

const content = (...components: Parameters<typeof Component.parse>[0][]): BundleContent => ({
  version: '1.2.0',
  images: [],
  components: components.map((of) => ({ component: Component.parse(of), objects: [], digest: 'a'.repeat(64) })),
});
const bundles = {
  office: content(
    { name: 'db', kind: 'application', chart: 'charts/db', namespace: 'office', timeout: '40s', values: { size: 1, keep: true }, gates: [{ http: { service: 'db', namespace: 'office', port: 80 } }, { complete: { name: 'j', namespace: 'other' } }] },
    { name: 'web', kind: 'application', chart: 'charts/db', namespace: 'office', needs: ['db'] },
    { name: 'own', kind: 'chart', chart: 'charts/db' },
  ),
  gate: content({ name: 'gate', kind: 'chart', chart: 'charts/gate', namespace: 'gate', provides: ['network-policy', 'ingress'] }),
  broken: { ...content(), broken: 'bundle.yaml:1:1: no' },
}; // prettier-ignore
const known: AppKnown = {
  revision: 3, revisions: [1, 2, 3], proven: [1, 3], alike: [3], good: 3, stopped: false, made: { bundle: 'office', component: 'db', version: '1.0.0', given: { size: 5, own: { a: 1 } } },
}; // prettier-ignore
const enrolled = new Map([['n1', 'id-1'], ['n2', 'id-2']]); // prettier-ignore
interface Asked {
  wish?: Partial<AppWish>;
  app?: AppKnown | null;
  spec?: (string | { name: string; values?: object })[];
  absent?: string[];
}
function planOf(kind: RunIntent['kind'], { wish = {}, app = null, spec = [], absent = [] }: Asked = {}): Plan {
  const intent = { ...intentOf(kind), app: { name: 'db', namespace: 'office', ...wish } };
  return plan(requestOf(specOf({ nodes: nodesOf(2), bundles: spec as never }), { intent, app, bundles, enrolled, absent }));
}
const input = (p: Plan, task: string): Record<string, unknown> => p.steps.find((s) => s.task === task)?.input as Record<string, unknown>;
function refused(...asked: Parameters<typeof planOf>): PlanRefused | null {
  try {
    planOf(...asked);
  } catch (error) {
    if (error instanceof PlanRefused) return error;
    throw error;
  }
  return null;
}
const refusal = (...asked: Parameters<typeof planOf>): string => refused(...asked)?.code ?? 'none';
const office = { bundle: 'office', component: 'db' };

test('an install has the values of the bundle under those that were given, and gates that follow its namespace', () => {
  const made = input(planOf('install-app', { wish: { ...office, namespace: 'mine', values: { size: 9 } } }), 'helm.release');
  expect(made).toMatchObject({ release: 'db', namespace: 'mine', values: { size: 9, keep: true }, made: { version: '1.2.0', given: { size: 9 } } });
  expect(made.gates).toEqual([
    { http: { service: 'db', namespace: 'mine', port: 80, path: '/', status: 200 } },
    { complete: { name: 'j', namespace: 'other' } },
  ]);
});
test('a gate about its own service is about the one of that name; other names stay', () => {
  const made = input(planOf('install-app', { wish: { ...office, name: 'orders', namespace: 'mine' } }), 'helm.release');
  expect(made.gates).toEqual([
    { http: { service: 'orders', namespace: 'mine', port: 80, path: '/', status: 200 } },
    { complete: { name: 'j', namespace: 'other' } },
  ]);
});
test('an upgrade keeps the values that were given, unless they are dropped', () => {
  const wish = { values: { own: { b: 2 } } };
  expect(input(planOf('upgrade-app', { wish, app: known }), 'helm.release')).toMatchObject({ values: { size: 5, keep: true, own: { a: 1, b: 2 } }, made: { version: '1.2.0', given: { size: 5, own: { a: 1, b: 2 } } } }); // prettier-ignore
  expect(input(planOf('upgrade-app', { wish: { ...wish, resetValues: true }, app: known }), 'helm.release').values).toEqual({
    size: 1,
    keep: true,
    own: { b: 2 },
  });
  expect(planOf('upgrade-app', { app: { ...known, stopped: true } }).warnings).toEqual(['office/db is stopped: a new revision starts it']);
});
test('a rollback goes to the last revision that worked before this one', () => {
  expect(input(planOf('rollback-app', { app: known }), 'helm.rollback')).toMatchObject({ to: 1, from: 3 });
  expect(input(planOf('rollback-app', { app: { ...known, good: 1, proven: [1] } }), 'helm.rollback')).toMatchObject({ to: 1, from: 3 });
  expect(input(planOf('rollback-app', { wish: { revision: 1 }, app: known }), 'helm.rollback')).toMatchObject({ to: 1 });
  // what went back by itself is the same again: one before that is meant
  const went = { ...known, revision: 4, revisions: [1, 2, 3, 4], proven: [1, 2, 4], alike: [2, 4], good: 4 };
  expect(input(planOf('rollback-app', { app: went }), 'helm.rollback')).toMatchObject({ to: 1, from: 4 });
  expect(input(planOf('rollback-app', { wish: { revision: 2 }, app: { ...known, good: 0, proven: [], alike: [] } }), 'helm.rollback')).toMatchObject({ to: 2 });
});
test.each<[RunIntent['kind'], string]>([
  ['stop-app', 'app.stop'],
  ['start-app', 'app.start'],
  ['restart-app', 'app.restart'],
  ['rollback-app', 'helm.rollback'],
  ['upgrade-app', 'helm.release'],
])('%s may take as long as its component says', (kind, task) => {
  const made = { bundle: 'office', component: 'db', version: '1.0.0', given: {} };
  const timeoutOf = (of: AppKnown['made']): unknown => input(planOf(kind, { app: { ...known, made: of } }), task).timeoutMs;
  expect(timeoutOf(made)).toBe(40_000);
  if (kind === 'upgrade-app') return; // it has to know of which component it is made
  for (const unknown of [null, { ...made, component: 'gone' }, { ...made, bundle: 'gone' }, { ...made, bundle: 'broken' }])
    expect(timeoutOf(unknown)).toBe(300_000);
});
test.each<[string, RunIntent['kind'], Asked]>([
  ['app.exists', 'install-app', { wish: office, app: known }],
  ['app.unnamed', 'install-app', {}],
  ['app.unknown', 'install-app', { wish: { bundle: 'office', component: 'own' } }],
  ['unknown-bundle', 'install-app', { wish: { bundle: 'nope', component: 'db' } }],
  ['bundle.invalid', 'install-app', { wish: { bundle: 'broken', component: 'db' } }],
  ['app.needs', 'install-app', { wish: { bundle: 'office', component: 'web', name: 'web' } }],
  ['app.of-spec', 'install-app', { wish: office, spec: ['office'] }],
  ['app.of-spec', 'remove-app', { app: known, spec: ['office'] }],
  ['app.of-spec', 'rollback-app', { app: known, spec: ['office'] }],
  ['app.no-network-policy', 'install-app', { wish: { ...office, namespace: 'user-alice' } }],
  ['app.absent', 'upgrade-app', {}],
  ['app.absent', 'stop-app', {}],
  ['app.absent', 'remove-app', {}],
  ['app.unknown-source', 'upgrade-app', { app: { ...known, made: null } }],
  ['app.no-revision', 'rollback-app', { wish: { revision: 7 }, app: known }],
  ['app.no-revision', 'rollback-app', { app: { ...known, revisions: [3], proven: [3] } }],
  ['app.no-revision', 'rollback-app', { app: { ...known, alike: [1, 3] } }],
  ['app.no-revision', 'rollback-app', { wish: { revision: 2 }, app: known }], // it never worked
  ['none', 'stop-app', { app: known, spec: ['office'] }],
  ['none', 'remove-app', { wish: { deleteData: true } }],
  ['none', 'install-app', { wish: { bundle: 'office', component: 'web', name: 'web2' }, spec: ['office'] }],
])('%s: %s', (code, kind, asked) => expect(refusal(kind, asked)).toBe(code));

test('a refusal says which applications there are, or that the bundle has none', () => {
  const of = (bundle: string): PlanRefused | null => refused('install-app', { wish: { bundle, component: 'nope' } });
  expect(of('office')).toMatchObject({ message: 'the bundle "office" has no application "nope"', remedy: 'take one of these: office/db, office/web' });
  expect(of('gate')).toMatchObject({ message: 'the bundle "gate" has no applications', remedy: 'take one of another bundle: strata app list --available' });
});
test("a user's namespace is fenced: nobody from other namespaces, no way into them, and the ways that are needed", () => {
  const p = planOf('install-app', { wish: { ...office, namespace: 'user-alice' }, spec: ['gate'] });
  const objects = input(p, 'manifests.apply').objects as { kind: string; metadata: { name: string; labels: object }; spec: object }[];
  const policies = new Map(objects.flatMap((o) => (o.kind === 'NetworkPolicy' ? [[o.metadata.name, o.spec] as const] : [])));
  expect(objects[0]?.metadata).toMatchObject({
    name: 'user-alice',
    labels: { 'pod-security.kubernetes.io/enforce': 'baseline', 'strata.local/user': 'alice' },
  });
  expect(policies.get('strata-deny')).toEqual({ podSelector: {}, policyTypes: ['Ingress', 'Egress'] });
  expect(policies.get('strata-outside')).toMatchObject({ egress: [{ to: [{ ipBlock: { except: ['10.244.0.0/16', '10.96.0.0/12'] } }] }] });
  expect(policies.get('strata-ingress')).toMatchObject({
    ingress: [{ from: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'gate' } } }] }],
  });
  expect(policies.get('strata-control-plane')).toMatchObject({ ingress: [{ from: [{ ipBlock: { cidr: '10.0.0.11/32' } }] }] });
});
test('a node that is away ends no run of an application degraded; where images are missed that is said', () => {
  const withImage = { ...bundles.office, images: [{ name: 'image-web', version: '1.0' }] };
  const intent = { ...intentOf('install-app'), app: { name: 'db', namespace: 'office', ...office } };
  const p = plan(requestOf(specOf({ nodes: nodesOf(2) }), { intent, app: null, bundles: { office: withImage }, enrolled, absent: ['n2'] }));
  expect([p.absent, p.warnings]).toEqual([[], [expect.stringContaining('n2 cannot be reached and gets no images')]]);
  expect(p.steps.filter((s) => s.task === 'images.import').map((s) => s.node)).toEqual(['n1']);
});
test('a node that is added gets the images of the applications that are there, as far as the catalog has them', () => {
  const appImages = [{ name: 'image-web', version: '1.0' }, { name: 'image-gone', version: '1.0' }]; // prettier-ignore
  const p = plan(requestOf(specOf({ nodes: nodesOf(2) }), { intent: intentOf('add-node', ['n2']), appImages, enrolled: new Map([['n1', 'id-1']]) }));
  expect(JSON.stringify(p.steps.find((s) => s.key === 'n2/images.import@pods')?.input)).toContain('artifact.obtain@image-web');
});
