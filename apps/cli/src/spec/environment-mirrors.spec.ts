import { ClusterSpec } from '@strata/model';
import { withEnvironmentMirrors } from './environment-mirrors';

const spec = (mirrors?: object): ClusterSpec =>
  ClusterSpec.parse({
    apiVersion: 'strata/v1', kind: 'Cluster', metadata: { name: 'home' },
    spec: { nodes: [{ name: 'n1', join: 'token', role: 'control-plane' }], ...(mirrors && { native: { containerd: { mirrors } } }) },
  }); // prettier-ignore
const of = (REGISTRY_MIRRORS: string | undefined, mirrors?: object): { mirrors: object; note: string | null } => {
  const { spec: made, note } = withEnvironmentMirrors(spec(mirrors), { REGISTRY_MIRRORS });
  return { mirrors: made.spec.native.containerd.mirrors, note };
};

test.each([
  ['not set', undefined, undefined, {}],
  ['empty', ' , ', undefined, {}],
  ['two', 'https://a.example, http://b.example:5000/v2', undefined, { 'docker.io': ['https://a.example', 'http://b.example:5000/v2'] }],
  ['the spec has others', 'https://a.example', { 'quay.io': ['https://q.example'] }, { 'docker.io': ['https://a.example'], 'quay.io': ['https://q.example'] }],
  ['the spec has its own', 'https://a.example', { 'docker.io': ['https://own.example'] }, { 'docker.io': ['https://own.example'] }],
])('%s', (...[, text, mirrors, expected]) => {
  const { mirrors: made, note } = of(text, mirrors);
  expect([made, note !== null]).toEqual([expected, 'docker.io' in expected && mirrors?.['docker.io' as never] === undefined]);
});
test('what is no address is refused, without repeating a password', () => {
  expect(() => of('mirror.example')).toThrow(/REGISTRY_MIRRORS is set, and one of its addresses must be an address such as/);
  expect(() => of('https://user:canary@mirror.example')).toThrow(/^(?!.*canary).*must hold no user and password/);
});
