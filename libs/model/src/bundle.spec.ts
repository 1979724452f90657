import { Bundle } from './bundle';

const web = { name: 'web', kind: 'manifests', manifests: ['manifests/web.yaml'] };
const chart = { name: 'app', kind: 'application', chart: 'charts/app' };
const bundle = (...components: object[]): unknown => ({ apiVersion: 'strata/v1', kind: 'Bundle', metadata: { name: 'demo', version: '1.0.0' }, components });
const issues = (...components: object[]): string[] =>
  (Bundle.safeParse(bundle(...components)).error?.issues ?? []).map((i) => `${i.path.join('.')}: ${i.message}`);

describe('a bundle', () => {
  it('takes each kind of component, with what is usual for it', () => {
    const { components } = Bundle.parse(bundle(web, { ...chart, needs: ['web'] }));
    expect(components).toMatchObject([
      { timeout: '5m', needs: [], gates: [] },
      { namespace: 'default', onFailure: 'rollback', values: {} },
    ]);
  });
  it('says what a cluster has with it', () => {
    const { components } = Bundle.parse(bundle({ ...chart, provides: ['network-policy'] }, web));
    expect(components.map((c) => c.provides)).toEqual([['network-policy'], undefined]);
  });
  it.each([
    ['a name twice', [web, web], 'components.1.name: there is another component "web"'],
    ['a need that is not there', [{ ...web, needs: ['db'] }], 'components.0.needs.0: the bundle has no component "db"'],
    ['a need of itself', [{ ...web, needs: ['app'] }, { ...chart, needs: ['web'] }], 'components.0.needs: it needs itself: web needs app needs web'],
    ['an operator without a proof', [{ ...chart, kind: 'operator' }], 'components.0.gates: an operator is proven by a resource'],
    ['a release twice', [chart, { ...chart, name: 'two', release: 'app' }], 'components.1.release: "app" has the same release "app" in default'],
    ['a file outside of the bundle', [{ ...web, manifests: ['manifests/../../etc/passwd.yaml'] }], 'must be a YAML file of the bundle'],
    ['a chart outside of the bundle', [{ ...chart, chart: '../app' }], 'must be a chart of the bundle'],
    ['values of manifests', [{ ...web, values: {} }], 'Unrecognized key: "values"'],
    ['something provided that nobody knows', [{ ...web, provides: ['coffee'] }], 'components.0.provides.0: Invalid option'],
    ['a wait without end', [{ ...web, timeout: '31m' }], 'must be 30m at most'],
    ['a gate of two conditions', [{ ...web, gates: [{ resource: { apiVersion: 'v1', kind: 'A', name: 'a', field: 'status.a', condition: 'Ready' } }] }], 'components.0.gates.0'],
    ['a gate that nobody knows', [{ ...web, gates: [{ rolout: {} }] }], 'components.0.gates.0: must be one of rollout, established, complete, resource, http'],
    ['a gate with something missing', [{ ...web, gates: [{ rollout: { kind: 'Pod', name: 'a', namespace: 'b' } }] }], 'components.0.gates.0: rollout.kind: Invalid option: expected one of "Deployment"|"DaemonSet"|"StatefulSet"'],
  ])('refuses %s', (_, components, words) => {
    expect(issues(...components).join('\n')).toContain(words);
  }); // prettier-ignore
});
