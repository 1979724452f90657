import { readSpec } from './read-spec';
import { sampleSpec } from './sample';

const issues = (text: string): string[] => readSpec(text).issues.map((i) => `${i.line}:${i.column} ${i.path} ${i.message}`);
const head = 'apiVersion: strata/v1\nkind: Cluster\nmetadata: { name: home }\nspec:\n  nodes:\n';
const good = `${head}    - { name: n1, address: 10.0.0.1, role: control-plane, ssh: { user: ops } }\n`;

test('a good spec, its defaults, and which ssh fields it wrote', () => {
  const read = readSpec(good);
  expect(read.spec?.spec.nodes[0]?.ssh).toMatchObject({ user: 'ops', port: 22 });
  expect(read.spec !== null && [...(read.written.get('n1') ?? [])]).toEqual(['user']);
});
test('the spec that init prints is good', () => {
  expect(issues(sampleSpec('home'))).toEqual([]);
});
test.each<[string, string, string[]]>([
  ['an empty file', '', ['1:1  the file is empty: `strata init` prints a spec to begin with']],
  ['syntax', `${head}    - { name: n1\n`, [expect.stringMatching(/^(6|7):\d+ {2}/) as string]],
  ['a tab', 'apiVersion: strata/v1\n\tkind: Cluster\n\tmetadata: {}\n', [
    expect.stringMatching(/^2:1 {2}a tab: YAML is indented with spaces only$/) as string,
  ]],
  ['a duplicate key', `${good}  policy: { nodeWait: 1m }\n  policy: { nodeWait: 2m }\n`, ['8:3  this key is there twice']],
  ['unknown fields', `${good}  colour: red\n  policy: { wait: 1m }\n`, ['7:3 spec.colour unknown field "colour"', '8:13 spec.policy.wait unknown field "wait"']],
  ['a wrong type', good.replace('user: ops', 'port: many'), ['6:66 spec.nodes[0].ssh.port expected number, received string']],
  ['a wrong choice', good.replace('control-plane', 'boss'), [
    '6:38 spec.nodes[0].role must be "control-plane" or "worker"',
  ]],
  ['a version of Kubernetes where one of K3s belongs', good.replace('spec:\n', 'spec:\n  distribution: { kind: k3s, version: 1.37.2 }\n'), [
    expect.stringMatching(/^5:30 spec\.distribution\.version 1\.37\.2 is not a version of K3s, .* as 1\.34\.4\+k3s1/) as string,
  ]],
  ['a version of Kubernetes that nobody knows', good.replace('spec:\n', 'spec:\n  distribution: { kind: kubernetes, version: 9.9.9 }\n'), [
    expect.stringMatching(/^5:37 spec\.distribution\.version Kubernetes 9\.9\.9 is not known here; choose one of: .*1\.37\.2/) as string,
  ]],
  ['something missing', good.replace('metadata: { name: home }\n', ''), ['1:1 metadata is missing (object)']],
  ['no control plane', good.replace('control-plane', 'worker'), ['5:3 spec.nodes no node has the role control-plane: give it to one']],
  ['the same name and address', `${good}    - { name: n1, address: 10.0.0.1, ssh: {} }\n`, [
    '7:9 spec.nodes[1].name nodes 1 and 2 have the same name "n1"',
    '7:19 spec.nodes[1].address nodes 1 and 2 have the same address "10.0.0.1"',
  ]],
  ['the same bundle twice', `${good}  bundles: [demo, demo]\n`, ['7:19 spec.bundles[1] bundles 1 and 2 are both "demo": name each once, with all its values there']],
  ['the same bundle twice, with values', `${good}  bundles: [demo, { values: {}, name: demo }]\n`, [
    expect.stringMatching(/^7:33 spec\.bundles\[1\]\.name bundles 1 and 2 are both/) as string,
  ]],
  ['two documents', `${good}---\n${good}`, [expect.stringContaining('multiple documents') as string]],
])('%s', (_what, text, expected) => {
  expect(issues(text)).toEqual(expected);
}); // prettier-ignore
test('wrong fields and clashes are told at once, each in its place', () => {
  const text = `${good}    - { name: n1, address: 10.0.0.2, ssh: {}, size: 3 }\n    - { name: N3, address: 10.0.0.2, join: token }\n`;
  expect(issues(text)).toEqual([
    '7:9 spec.nodes[1].name nodes 1 and 2 have the same name "n1"',
    '7:47 spec.nodes[1].size unknown field "size"',
    expect.stringMatching(/^8:9 spec\.nodes\[2\]\.name must be lower-case/),
    '8:19 spec.nodes[2].address nodes 2 and 3 have the same address "10.0.0.2"',
  ]);
});
test('a bomb of aliases is refused, not unfolded', () => {
  const bomb = [
    'a: &a [x, x, x, x, x, x, x, x, x]',
    ...'bcdefghij'.split('').map((c, i) => `${c}: &${c} [${`*${'abcdefghi'[i]}, `.repeat(8)}*${'abcdefghi'[i]}]`),
  ].join('\n');
  expect(issues(bomb)).toEqual(['1:1  too many aliases (at most 50): write the values out']);
});
test('an alias of what it stands in is refused in its place; one of something else is taken', () => {
  const values = (text: string): string => `${good}  bundles:\n    - name: demo\n      values: { web: ${text} }\n`;
  expect(issues(values('{ a: &x { b: *x } }'))).toEqual([
    '9:32 spec.bundles[0].values.web.a.b is an alias of what it stands in, which would have no end: write out what is meant',
  ]);
  expect(issues(values('{ a: &x { b: 1 }, c: *x, d: [*x] }'))).toEqual([]);
});
test('`__proto__` in values is refused by its name', () => {
  expect(issues(`${good}  bundles:\n    - name: demo\n      values: { web: { __proto__: { a: 1 } } }\n`)).toEqual([
    '9:24 spec.bundles[0].values.web.__proto__ a key cannot be named "__proto__": give it another name',
  ]);
});
