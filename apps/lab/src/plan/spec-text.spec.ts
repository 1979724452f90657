import { ClusterSpec } from '@strata/model';
import { parse } from 'yaml';
import { clusterYaml } from './spec-text';

const hostKey = `SHA256:${'A'.repeat(43)}`;
const choice = {
  cluster: 'lab',
  distribution: 'kubernetes',
  version: '1.37.2',
  keyFile: '/k/id_ed25519',
  passwordFile: '/k/ops',
  user: 'root',
  login: 'key',
  join: [],
} as const;
const nodes = [1, 2, 3].map((n) => ({ name: `n${n}`, address: `10.78.0.${10 + n}`, hostKey }));

it('prints a cluster.yaml that a person can read', () => {
  expect(clusterYaml(choice, nodes.slice(0, 1))).toBe(`apiVersion: strata/v1
kind: Cluster
metadata:
  name: lab
spec:
  distribution:
    kind: kubernetes
    version: 1.37.2
  nodes:
    - name: n1
      address: 10.78.0.11
      role: control-plane
      ssh:
        user: root
        port: 22
        hostKey: ${hostKey}
        keyFile: /k/id_ed25519
`);
});

it('is a spec that Strata accepts: the first node is the control plane, all others are workers', () => {
  const spec = ClusterSpec.parse(parse(clusterYaml(choice, nodes)));
  expect(spec.spec.nodes.map((n) => n.role)).toEqual(['control-plane', 'worker', 'worker']);
  expect(spec.spec.distribution.version).toBe('1.37.2');
});

it('knows ops with a password, and nodes that come by join command', () => {
  const spec = ClusterSpec.parse(parse(clusterYaml({ ...choice, user: 'ops', login: 'password', join: ['n3'] }, nodes)));
  expect(spec.spec.nodes[0]?.ssh).toMatchObject({ user: 'ops', passwordFrom: 'file:/k/ops', sudoPasswordFrom: 'file:/k/ops' });
  expect(spec.spec.nodes[0]?.ssh?.keyFile).toBeUndefined();
  expect(spec.spec.nodes[2]).toMatchObject({ join: 'token', address: '10.78.0.13' });
});
