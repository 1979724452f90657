import { why, withDemo } from './quickstart';

const spec = 'spec:\n  distribution:\n    kind: kubernetes\n    version: 1.37.2\n  nodes: []\n';
test('the spec says why it is not k3s, names the demo bundle, and takes another version', () => {
  expect(withDemo(spec)).toBe(`spec:\n  ${why}\n  distribution:\n    kind: kubernetes\n    version: 1.37.2\n  nodes: []\n  bundles: [demo]\n`);
  expect(withDemo(spec, '1.36.3')).toContain('version: 1.36.3');
  expect(withDemo(`${spec}  bundles: []\n`)).not.toContain('bundles: []');
});
