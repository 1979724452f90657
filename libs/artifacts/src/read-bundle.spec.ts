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
  ['more aliases than anybody writes', { 'bundle.yaml': head + web, 'manifests/web.yaml': `a: &a [x]\nb: &b [${'*a,'.repeat(40)}]\nc: [${'*b,'.repeat(40)}]\n` }, /alias/i],
])('%s is refused with its place', async (_, files, words) => {
  put(files);
  expect(await refused()).toMatch(words);
}); // prettier-ignore
test('`__proto__` in values is data and nothing else', async () => {
  put({ 'bundle.yaml': `${head}components:\n  - { name: c, kind: chart, chart: charts/c, values: { __proto__: { admin: true }, a: 1 } }\n`, 'charts/c/Chart.yaml': 'name: c\n' }); // prettier-ignore
  await readBundle(dir).catch(() => undefined);
  expect(({} as { admin?: boolean }).admin).toBeUndefined();
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
  it('refuses a file that no chart has', async () => {
    put({ 'c/Chart.yaml': 'x'.repeat(1024 * 1024 + 1) });
    await expect(chartDigest(chart())).rejects.toThrow('has 1048577 bytes');
  });
});
