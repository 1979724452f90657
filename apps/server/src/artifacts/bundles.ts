import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Injectable } from '@nestjs/common';
import type { BundleContent } from '@strata/planner';
import type { KubeObject } from '@strata/tasks';
import { parse, parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { Edges } from '../serve/edges';

const BundleFile = z.object({
  images: z.array(z.object({ name: z.string(), version: z.string() })).default([]),
  gates: z.array(z.unknown()).default([]),
});

/** The containerized layer's bundles: `bundles/<name>/bundle.yaml` and `manifests/*.yaml` beside it. */
@Injectable()
export class Bundles {
  constructor(private readonly edges: Edges) {}

  /** The bundles of these names that there are; the planner refuses the others by name. */
  async read(names: readonly string[]): Promise<Record<string, BundleContent>> {
    const found: Record<string, BundleContent> = {};
    if (names.length === 0) return found;
    const known = await readdir(this.edges.settings.bundleDir).catch(() => []);
    for (const name of known) {
      const content = await this.one(join(this.edges.settings.bundleDir, name));
      if (content) found[name] = content;
    }
    return found;
  }

  private async one(dir: string): Promise<BundleContent | null> {
    const text = await readFile(join(dir, 'bundle.yaml'), 'utf8').catch(() => null);
    if (text === null) return null;
    const bundle = BundleFile.parse(parse(text));
    const files = (await readdir(join(dir, 'manifests')).catch(() => [])).filter((f) => /\.ya?ml$/.test(f)).sort();
    const objects: KubeObject[] = [];
    for (const file of files)
      for (const document of parseAllDocuments(await readFile(join(dir, 'manifests', file), 'utf8'))) {
        const value = document.toJS() as KubeObject | null;
        if (value) objects.push(value);
      }
    return { objects, images: bundle.images, gates: bundle.gates as BundleContent['gates'] };
  }
}
