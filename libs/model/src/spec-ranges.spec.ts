import { ClusterSpec, type ClusterSpecInput } from './cluster-spec';

const spec = (network: object, address = '10.0.0.11'): ClusterSpecInput => ({
  apiVersion: 'strata/v1',
  kind: 'Cluster',
  metadata: { name: 'home' },
  spec: { network, nodes: [{ name: 'n1', role: 'control-plane', address, ssh: {} }] },
});
const issues = (...args: Parameters<typeof spec>): [string, string][] =>
  (ClusterSpec.safeParse(spec(...args)).error?.issues ?? []).map((i) => [i.path.join('.'), i.message]);

it('takes the defaults, and ranges that are apart', () => {
  expect(issues({})).toEqual([]);
  expect(issues({ podCidr: '172.20.0.0/16', serviceCidr: '172.21.0.0/24' })).toEqual([]);
});
it.each([
  ['pods inside services', { podCidr: '10.100.0.0/16' }, 'spec.network.podCidr', /pods 10\.100\.0\.0\/16 and services 10\.96\.0\.0\/12 overlap/],
  ['services inside pods', { podCidr: '10.0.0.0/8', serviceCidr: '10.1.0.0/16' }, 'spec.network.podCidr', /overlap/],
  ['no /24 for each node', { podCidr: '10.244.0.0/25' }, 'spec.network.podCidr', /room for 0 nodes/],
  ['more services than Kubernetes takes', { podCidr: '172.16.0.0/16', serviceCidr: '10.128.0.0/9' }, 'spec.network.serviceCidr', /a \/12 to a \/28/],
  ["the pods' range over a node's address", { podCidr: '10.0.0.0/16' }, 'spec.nodes.0.address', /10\.0\.0\.11 lies in the range of pods/],
])('refuses %s, at its place', (...[, network, path, message]) => {
  expect(issues(network)).toContainEqual([path, expect.stringMatching(message)]);
});
it('an interface is no address that anybody could dial by ssh', () => {
  expect(issues({}, 'eth1')).toEqual([['spec.nodes.0.address', expect.stringMatching(/ssh\.host/)]]);
});
