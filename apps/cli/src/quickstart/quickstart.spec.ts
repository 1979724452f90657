import { removal, specOfHosts, why, withBundles } from './quickstart';

const spec = 'spec:\n  distribution:\n    kind: kubernetes\n    version: 1.37.2\n  nodes: []\n';
test('the spec says why it is not k3s, names the bundles, and takes another version', () => {
  expect(withBundles(spec, 'platform,demo')).toBe(
    `spec:\n  ${why}\n  distribution:\n    kind: kubernetes\n    version: 1.37.2\n  nodes: []\n  bundles: [platform, demo]\n`,
  );
  expect(withBundles(spec, 'demo', '1.36.3')).toContain('version: 1.36.3');
  expect(withBundles(`${spec}  bundles: []\n`, 'demo')).not.toContain('bundles: []');
});

test('your own machines may be addresses or names, each with its user and port', () => {
  expect(specOfHosts({ name: 'quickstart', hosts: 'ops@10.0.0.11,worker.example.org:2222' }).split('\n').slice(6, 8)).toEqual([
    '    - { name: n1, address: 10.0.0.11, role: control-plane, ssh: { user: ops } }',
    '    - { name: n2, role: worker, ssh: { user: root, host: worker.example.org, port: 2222 } }',
  ]);
  expect(() => specOfHosts({ name: 'quickstart', hosts: 'ops@' })).toThrow('"ops@" is not USER@HOST');
});
test.each([
  [{ name: 'quickstart' }, ''],
  [{ name: 'trial', home: '/srv/my strata' }, " --name trial --home '/srv/my strata'"],
])('what takes it away again has the name and the home that were given: %j', (options, flags) => {
  expect(removal(options)).toBe(`npm run quickstart -- --remove${flags}`);
});
