import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { readBundle, type ReadBundle } from '@strata/artifacts';
import { isChart } from '@strata/model';
import { parse } from 'yaml';
import { catalog } from '../golden/on-disk';

/** What holds for every bundle that comes with Strata. */
const folder = resolve(__dirname, '../../bundles');
const { entries } = catalog();
const charts = (read: ReadBundle): string[] => read.components.flatMap(({ component: c }) => (isChart(c) ? [c.chart] : []));

describe.each(readdirSync(folder))('the bundle %s', (name) => {
  let read: ReadBundle;
  beforeAll(async () => {
    read = await readBundle(join(folder, name));
  });

  test('has its images in the catalog, and runs no other', () => {
    const refs = read.bundle.images.map(
      (i) => entries.find((e) => e.name === i.name && e.version === i.version)?.ref ?? `${i.name} ${i.version} is not in the catalog`,
    );
    const texts = [
      ...charts(read).flatMap((c) => [join(c, 'values.yaml'), ...readdirSync(join(folder, name, c, 'templates')).map((f) => join(c, 'templates', f))]),
      ...read.components.flatMap(({ component: c }) => ('manifests' in c ? c.manifests : [])),
    ].map((file) => readFileSync(join(folder, name, file), 'utf8')); // prettier-ignore
    const used = new Set(texts.flatMap((text) => text.match(/strata\.local\/[a-z-]+:[0-9][0-9.]*/g) ?? []));
    expect([...used].sort()).toEqual([...new Set(refs)].sort());
  });
  test('has a schema beside the values of each chart that knows exactly those', () => {
    for (const chart of charts(read)) {
      const at = (file: string): string => join(folder, name, chart, file);
      expect([chart, existsSync(at('values.schema.json'))]).toEqual([chart, true]);
      const schema = JSON.parse(readFileSync(at('values.schema.json'), 'utf8')) as { additionalProperties: boolean; properties: object };
      const values = parse(readFileSync(at('values.yaml'), 'utf8')) as object;
      expect([schema.additionalProperties, Object.keys(schema.properties).sort()]).toEqual([false, [...Object.keys(values), 'global'].sort()]);
    }
  });
});
