import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readBundle } from '@strata/artifacts';
import { type Catalog, CatalogEntry } from '@strata/model';
import type { BundleContent } from '@strata/planner';
import { parse } from 'yaml';

const root = join(__dirname, '../..');

/** The real catalog, before anything is obtained. */
export function catalog(): Catalog {
  const folder = join(root, 'catalog');
  const files = readdirSync(folder).filter((f) => f.endsWith('.yaml')).sort();
  const entries = files.flatMap((name) => {
    const { artifacts = [] } = parse(readFileSync(join(folder, name), 'utf8')) as { artifacts?: { versions: string[] }[] };
    return artifacts.flatMap(({ versions, ...rest }) =>
      versions.map((version) => CatalogEntry.parse(JSON.parse(JSON.stringify({ ...rest, version }).replaceAll('{version}', version)))),
    );
  });
  return { digest: createHash('sha256').update(JSON.stringify(entries)).digest('hex'), entries, obtained: {} };
} // prettier-ignore

/** The demo bundle as it is on disk. */
export async function demoBundle(): Promise<BundleContent> {
  const { bundle, components } = await readBundle(join(root, 'bundles/demo'));
  return { version: bundle.metadata.version, images: bundle.images, components };
}
