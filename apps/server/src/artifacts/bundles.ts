import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Injectable } from '@nestjs/common';
import { chartDigest, compareVersions, readBundle } from '@strata/artifacts';
import type { BundleContent } from '@strata/planner';
import { type ChartRef, TaskError } from '@strata/tasks';
import { Edges } from '../serve/edges';

/**
 * The containerized layer's bundles: a folder each, with `bundle.yaml`, `manifests/`, `crds/` and `charts/`. Some are this server's own, others came in bundle
 * files, a folder for each version. Where both have one of a name the higher version is taken, and of one version our own.
 */
@Injectable()
export class Bundles {
  constructor(private readonly edges: Edges) {}

  /** Those of these names that there are, also one that cannot be used; the planner refuses the others by name, and says which there are. */
  async read(names: readonly string[]): Promise<Record<string, BundleContent>> {
    const found: Record<string, BundleContent> = {};
    if (names.length === 0) return found;
    for (const name of await this.names()) found[name] = names.includes(name) ? await this.one(name) : nothing;
    return found;
  }

  /** All that there are. */
  async all(): Promise<Record<string, BundleContent>> {
    return this.read(await this.names());
  }

  /** The folder that a bundle of this name is taken from. */
  async folder(name: string): Promise<string> {
    const own = join(this.edges.settings.bundleDir, name);
    const isOwn = (await foldersIn(this.edges.settings.bundleDir)).includes(name);
    const [newest] = await this.pushed(name);
    if (newest === undefined) return own;
    if (!isOwn) return join(this.edges.settings.pushedDir, name, newest);
    const version = await readBundle(own).then(({ bundle }) => bundle.metadata.version, () => null); // prettier-ignore
    return version === null || compareVersions(newest, version) <= 0 ? own : join(this.edges.settings.pushedDir, name, newest);
  }

  /** The folder of a chart, if one still holds what the plan was made of. @throws TaskError */
  async chartDir({ bundle, chart, digest }: ChartRef): Promise<string> {
    const { bundleDir, pushedDir } = this.edges.settings;
    const dirs = [join(bundleDir, bundle, chart), ...(await this.pushed(bundle)).map((version) => join(pushedDir, bundle, version, chart))];
    const isIn = async (dir: string): Promise<string> => chartDigest(dir).catch((error: unknown) => String(error instanceof Error ? error.message : error));
    for (const dir of dirs) if ((await isIn(dir)) === digest) return dir;
    const dir = join(await this.folder(bundle), chart);
    const is = await isIn(dir);
    throw new TaskError('bundle-changed', `${dir} is not what the plan was made of${/^[0-9a-f]{64}$/.test(is) ? '' : `: ${is}`}`, {
      remedy: 'apply again: a new plan takes the chart as it is now',
    });
  }

  private async names(): Promise<string[]> {
    const { bundleDir, pushedDir } = this.edges.settings;
    return [...new Set([...(await foldersIn(bundleDir)), ...(await foldersIn(pushedDir))])].sort();
  }
  /** The versions that came in bundle files, the highest first. */
  private async pushed(name: string): Promise<string[]> {
    return (await foldersIn(join(this.edges.settings.pushedDir, name))).sort((a, b) => compareVersions(b, a));
  }
  private async one(name: string): Promise<BundleContent> {
    try {
      const { bundle, components } = await readBundle(await this.folder(name));
      return { version: bundle.metadata.version, images: bundle.images, components };
    } catch (error) {
      return { ...nothing, broken: error instanceof Error ? error.message : String(error) };
    }
  }
}
const nothing: BundleContent = { version: '', images: [], components: [] };
const foldersIn = async (dir: string): Promise<string[]> =>
  (await readdir(dir, { withFileTypes: true }).catch(() => [])).filter((e) => e.isDirectory() && !e.name.startsWith('.')).map((e) => e.name);
