import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { chartDigest, readBundle } from './read-bundle';

let dir: string;
beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), 'bundle-'))));
afterEach(() => rmSync(dir, { recursive: true, force: true }));
function put(files: Record<string, string>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, name)), { recursive: true });
    writeFileSync(join(dir, name), text);
  }
}
const head = 'apiVersion: strata/v1\nkind: Bundle\nmetadata: { name: shop, version: 1.0.0 }\n';
const web = 'components:\n  - { name: web, kind: manifests, manifests: [manifests/web.yaml] }\n';
const refused = async (): Promise<string> => {
  try {
    await readBundle(dir);
  } catch (error) {
    return (error as Error).message.replaceAll(`${dir}/`, '');
  }
  throw new Error('it was taken');
};

test('manifests and charts are read with the bundle', async () => {
  put({
    'bundle.yaml': `${head}${web}  - { name: app, kind: chart, chart: charts/app }\n`,
    'manifests/web.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a }\n---\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: { name: b }\n',
    'charts/app/Chart.yaml': 'name: app\n',
  });
  const { components } = await readBundle(dir);
  expect(components.map((c) => [c.component.name, c.objects.map((o) => o.metadata.name), c.digest?.length ?? null])).toEqual([
    ['web', ['a', 'b'], null],
    ['app', [], 64],
  ]);
});
test.each<[string, Record<string, string>, RegExp]>([
  ['a field that is not known', { 'bundle.yaml': `${head}imagez: []\n${web}` }, /^bundle\.yaml:\d+:\d+: .*imagez/],
  ['a component without a name', { 'bundle.yaml': `${head}components:\n  - kind: manifests\n    manifests: [manifests/web.yaml]\n` }, /^bundle\.yaml:5:5: components\.0\.name/],
  ['a manifest that is no YAML', { 'bundle.yaml': head + web, 'manifests/web.yaml': 'a: [\n' }, /^manifests\/web\.yaml:2:1/],
  ['a manifest that is no object', { 'bundle.yaml': head + web, 'manifests/web.yaml': 'kind: Pod\n' }, /^manifests\/web\.yaml:1:1: no object of Kubernetes: apiVersion/],
  ['a definition that is none', { 'bundle.yaml': `${head}components:\n  - { name: c, kind: crds, manifests: [crds/c.yaml] }\n`, 'crds/c.yaml': 'apiVersion: v1\nkind: Pod\nmetadata: { name: p }\n' }, /^crds\/c\.yaml:1:1: Pod p is no definition/],
  ['a chart without Chart.yaml', { 'bundle.yaml': `${head}components:\n  - { name: c, kind: chart, chart: charts/c }\n`, 'charts/c/values.yaml': '' }, /there is no Chart\.yaml/],
  ['more aliases than anybody writes', { 'bundle.yaml': head + web, 'manifests/web.yaml': `a: &a [x]\nb: &b [${'*a,'.repeat(40)}]\nc: [${'*b,'.repeat(40)}]\n` }, /^manifests\/web\.yaml:1:1: too many aliases/],
  ['an alias of what it stands in, in bundle.yaml', { 'bundle.yaml': `${head}components:\n  - { name: c, kind: chart, chart: charts/c, values: { a: &x { b: *x } } }\n` }, /^bundle\.yaml:5:67: components\.0\.values\.a\.b: is an alias of what it stands in/],
  ['an alias of what it stands in, in a manifest', { 'bundle.yaml': head + web, 'manifests/web.yaml': 'apiVersion: v1\nkind: A\nmetadata: { name: a }\nspec: &x\n  b: [*x]\n' }, /^manifests\/web\.yaml:5:7: spec\.b\.0: is an alias of what it stands in/],
  ['a manifest with no object', { 'bundle.yaml': head + web, 'manifests/web.yaml': '# later\n---\n' }, /^manifests\/web\.yaml:1:1: there is no object in it/],
  ['a name that Helm does not take', { 'bundle.yaml': `${head}components:\n  - { name: ${'n'.repeat(54)}, kind: chart, chart: charts/c }\n`, 'charts/c/Chart.yaml': 'name: c\n' }, /^bundle\.yaml:5:13: components\.0\.name: .* 53 /],
  ['an alias of nothing', { 'bundle.yaml': `${head}${web}images: *none\n` }, /^bundle\.yaml:1:1: Unresolved alias/],
  ['`__proto__` in values', { 'bundle.yaml': `${head}components:\n  - { name: c, kind: chart, chart: charts/c, values: { __proto__: { admin: true }, a: 1 } }\n`, 'charts/c/Chart.yaml': 'name: c\n' }, /^bundle\.yaml:5:\d+: components\.0\.values\.__proto__: a key cannot be named "__proto__"/],
])('%s is refused with its place', async (_, files, words) => {
  put(files);
  expect(await refused()).toMatch(words);
}); // prettier-ignore
describe('a part that is not of the bundle itself is refused before it is opened', () => {
  const elsewhere = (): string => join(dir, 'elsewhere');
  const pipe = (name: string): void => void execFileSync('mkfifo', [join(dir, name)]);
  it.each<[string, () => void, RegExp]>([
    ['a manifest that is a link', () => symlinkSync(join(elsewhere(), 'web.yaml'), join(dir, 'manifests/web.yaml')), /^manifests\/web\.yaml is a link/],
    ['a manifest that is a pipe', () => pipe('manifests/web.yaml'), /^manifests\/web\.yaml is no plain file/],
    ['a manifest that is a folder', () => mkdirSync(join(dir, 'manifests/web.yaml')), /^manifests\/web\.yaml is no plain file/],
    ['a folder of manifests that is a link', () => { rmSync(join(dir, 'manifests'), { recursive: true }); symlinkSync(elsewhere(), join(dir, 'manifests')); }, /^manifests is a link/],
    ['a chart that is a link', () => { put({ 'bundle.yaml': `${head}components:\n  - { name: c, kind: chart, chart: charts/c, perGroup: true }\n` }); mkdirSync(join(dir, 'charts')); symlinkSync(elsewhere(), join(dir, 'charts/c')); }, /^charts\/c is a link/],
    ['a chart that is a pipe', () => { put({ 'bundle.yaml': `${head}components:\n  - { name: c, kind: chart, chart: charts/c }\n` }); mkdirSync(join(dir, 'charts')); pipe('charts/c'); }, /^charts\/c is no plain folder/],
    ['bundle.yaml that is a pipe', () => { rmSync(join(dir, 'bundle.yaml')); pipe('bundle.yaml'); }, /^bundle\.yaml is no plain file/],
    ['bundle.yaml that is a link', () => { rmSync(join(dir, 'bundle.yaml')); symlinkSync(join(elsewhere(), 'bundle.yaml'), join(dir, 'bundle.yaml')); }, /^bundle\.yaml is a link/],
  ])('%s', async (_, make, words) => {
    mkdirSync(join(dir, 'manifests'));
    put({ 'bundle.yaml': head + web, 'elsewhere/bundle.yaml': head + web, 'elsewhere/web.yaml': 'apiVersion: v1\nkind: A\nmetadata: { name: a }\n', 'elsewhere/Chart.yaml': 'name: c\n' });
    make();
    expect(await refused()).toMatch(words);
  });
}); // prettier-ignore
test('an alias of something else is taken', async () => {
  put({ 'bundle.yaml': `${head}components:\n  - { name: c, kind: chart, chart: charts/c, values: { a: &x { b: 1 }, c: [*x, *x] } }\n`, 'charts/c/Chart.yaml': 'name: c\n' }); // prettier-ignore
  expect((await readBundle(dir)).bundle.components[0]).toMatchObject({ values: { a: { b: 1 }, c: [{ b: 1 }, { b: 1 }] } });
});

describe('the digest of a chart', () => {
  const chart = (): string => join(dir, 'c');
  it('follows every file, name and place', async () => {
    put({ 'c/Chart.yaml': 'name: c\n', 'c/templates/a.yaml': 'x' });
    const digests = [await chartDigest(chart())];
    const changes: Record<string, string>[] = [{ 'c/templates/a.yaml': 'y' }, { 'c/templates/b.yaml': '' }, { 'c/a.yaml': 'x' }];
    for (const change of changes) {
      put(change);
      digests.push(await chartDigest(chart()));
    }
    expect(new Set(digests).size).toBe(4);
    put({ 'c/templates/a.yaml': 'y' });
    expect(await chartDigest(chart())).toBe(digests[3]);
  });
  it('refuses links: what they name is not of the chart', async () => {
    put({ 'c/Chart.yaml': 'name: c\n' });
    symlinkSync('/etc/shadow', join(chart(), 'values.yaml'));
    await expect(chartDigest(chart())).rejects.toThrow('values.yaml is a link or a device');
  });
  it('refuses to be a link itself', async () => {
    put({ 'elsewhere/Chart.yaml': 'name: c\n' });
    symlinkSync(join(dir, 'elsewhere'), chart());
    await expect(chartDigest(chart())).rejects.toThrow('is a link');
  });
  it('refuses a file that no chart has', async () => {
    put({ 'c/Chart.yaml': 'x'.repeat(1024 * 1024 + 1) });
    await expect(chartDigest(chart())).rejects.toThrow('has 1048577 bytes');
  });
});
