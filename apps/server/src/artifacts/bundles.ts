import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Injectable } from '@nestjs/common';
import { chartDigest, readBundle } from '@strata/artifacts';
import type { BundleContent } from '@strata/planner';
import { type ChartRef, TaskError } from '@strata/tasks';
import { Edges } from '../serve/edges';

/** The containerized layer's bundles: a folder each, with `bundle.yaml`, `manifests/`, `crds/` and `charts/`. */
@Injectable()
export class Bundles {
  constructor(private readonly edges: Edges) {}

  /** Those of these names that there are, also one that cannot be used; the planner refuses the others by name, and says which there are. */
  async read(names: readonly string[]): Promise<Record<string, BundleContent>> {
    const found: Record<string, BundleContent> = {};
    if (names.length === 0) return found;
    const entries = await readdir(this.edges.settings.bundleDir, { withFileTypes: true }).catch(() => []);
    for (const { name } of entries.filter((e) => e.isDirectory())) found[name] = names.includes(name) ? await this.one(name) : nothing;
    return found;
  }

  /** All that there are. */
  async all(): Promise<Record<string, BundleContent>> {
    const entries = await readdir(this.edges.settings.bundleDir, { withFileTypes: true }).catch(() => []);
    return this.read(entries.filter((e) => e.isDirectory()).map((e) => e.name));
  }

  /** The folder of a chart, if it still holds what the plan was made of. @throws TaskError */
  async chartDir({ bundle, chart, digest }: ChartRef): Promise<string> {
    const dir = join(this.edges.settings.bundleDir, bundle, chart);
    const is = await chartDigest(dir).catch((error: unknown) => String(error instanceof Error ? error.message : error));
    if (is === digest) return dir;
    throw new TaskError('bundle-changed', `${dir} is not what the plan was made of${/^[0-9a-f]{64}$/.test(is) ? '' : `: ${is}`}`, {
      remedy: 'apply again: a new plan takes the chart as it is now',
    });
  }

  private async one(name: string): Promise<BundleContent> {
    try {
      const { bundle, components } = await readBundle(join(this.edges.settings.bundleDir, name));
      return { version: bundle.metadata.version, images: bundle.images, components };
    } catch (error) {
      return { ...nothing, broken: error instanceof Error ? error.message : String(error) };
    }
  }
}
const nothing: BundleContent = { version: '', images: [], components: [] };
