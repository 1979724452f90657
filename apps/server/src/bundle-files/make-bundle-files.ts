import { randomUUID } from 'node:crypto';
import type { Readable } from 'node:stream';
import { Inject, Injectable } from '@nestjs/common';
import { bundleFile, type BundleFileContent, bundleFileManifest, packBundle, packOsPackages, wayOut } from '@strata/artifacts';
import {
  type ArchiveArtifact,
  type Artifact,
  type BundleFileMaking,
  type BundleFileManifest,
  bundleUse,
  type CatalogEntry,
  type ClusterSpec,
  type CreateBundleFile,
} from '@strata/model';
import { type BundleContent, needed, packagesToPack, PlanRefused } from '@strata/planner';
import { conflict, notFound, ProblemError } from '../api/problem';
import { Bundles } from '../artifacts/bundles';
import { ObtainArtifacts } from '../artifacts/obtain-artifacts';
import { Edges } from '../serve/edges';
import { serverVersion } from '../serve/version';

interface Making {
  view: BundleFileMaking;
  manifest: BundleFileManifest | null;
}
const mostKept = 8;

/**
 * Bundle files in the making. What is missing is obtained first, as for a run; then the manifest is signed with this server's key, and the bytes go out of the
 * store as somebody takes them. A server that dies forgets the making, not what was obtained: asked again, it goes on from there.
 */
@Injectable()
export class MakeBundleFiles {
  @Inject() private readonly edges!: Edges;
  @Inject() private readonly artifacts!: ObtainArtifacts;
  @Inject() private readonly bundles!: Bundles;
  private readonly makings = new Map<string, Making>();

  /** Begins; `show` says how far it is. @throws ProblemError for what there is not */
  async start(wish: CreateBundleFile): Promise<BundleFileMaking> {
    const names = [...new Set([...(wish.spec?.spec.bundles ?? []).map((b) => bundleUse(b).name), ...wish.bundles])];
    const found = await this.bundles.read(names);
    const entries = await this.entries(wish, mustBeGood(names, found));
    const view: BundleFileMaking = {
      id: randomUUID(),
      state: 'obtaining',
      note: 'looking at what is in the store',
      done: 0,
      total: entries.length + (wantsPackages(wish.spec) ? 1 : 0),
    };
    const making: Making = { view, manifest: null };
    this.makings.set(view.id, making);
    for (const id of [...this.makings.keys()].slice(0, -mostKept)) this.makings.delete(id);
    void this.make(making, wish, { entries, names }).catch((error: unknown) => {
      view.state = 'failed';
      view.note = error instanceof Error ? error.message : String(error);
      this.edges.log.warn({ err: error, file: `${wish.name}@${wish.version}` }, 'a bundle file could not be made');
    });
    return { ...view };
  }

  show(id: string): BundleFileMaking {
    return { ...this.known(id).view };
  }

  /** The file's bytes. Who takes them is audited. @throws ProblemError while it is not ready */
  async content(id: string, by: string): Promise<{ stream: Readable; size: number }> {
    const { view, manifest } = this.known(id);
    if (!manifest) throw conflict('bundle-file-not-ready', `the bundle file is ${view.state}: ${view.note}`, 'wait until it is ready');
    await this.edges.store.audit.record({ by, action: 'bundle-file.make', object: `bundle-file/${manifest.name}@${manifest.version}`, body: { expires: manifest.expires } });
    return bundleFile(manifest, this.edges.keys.bundles, this.artifacts.store);
  } // prettier-ignore

  private known(id: string): Making {
    const making = this.makings.get(id);
    if (!making) throw notFound('bundle file in the making with this id', 'create it again: what was obtained before is still in the store');
    return making;
  }

  private async entries(wish: CreateBundleFile, bundles: Record<string, BundleContent>): Promise<CatalogEntry[]> {
    const spec = wish.spec ?? null;
    try {
      return needed({ spec, catalog: await this.artifacts.catalog(), bundles, besides: wish.bundles, artifacts: wish.artifacts });
    } catch (error) {
      if (error instanceof PlanRefused) throw new ProblemError(422, error.code, { title: 'it cannot be packed', detail: error.message, remedy: error.remedy, cause: error }); // prettier-ignore
      throw error;
    }
  }

  /** The packages of this host's release, where machines are to get theirs from the server: packed anew each time, as they are now. */
  private async packages(spec: ClusterSpec, view: BundleFileMaking): Promise<ArchiveArtifact[]> {
    if (!wantsPackages(spec)) return [];
    const progress = ({ note }: { note: string }): void => void (view.note = note);
    const options = { progress, now: this.edges.now(), signal: this.edges.stopping, way: wayOut(this.artifacts.outside(spec)) };
    const packed = await packOsPackages(this.artifacts.store, packagesToPack(spec), options);
    view.done += 1;
    return [packed];
  }

  private async make(making: Making, wish: CreateBundleFile, { entries, names }: { entries: CatalogEntry[]; names: string[] }): Promise<void> {
    const { view } = making;
    const artifacts: Artifact[] = [];
    const unofficial = wish.spec?.spec.artifacts.allowUnofficial ?? false;
    for (const entry of entries) {
      const progress = (_: number | null, note: string): void => void (view.note = `${entry.name} ${entry.version}: ${note}`);
      progress(null, 'is it in the store?');
      artifacts.push(await this.artifacts.obtain(entry, { progress, signal: this.edges.stopping, unofficial, ...(wish.spec ? { outside: this.artifacts.outside(wish.spec) } : {}) })); // prettier-ignore
      view.done += 1;
    }
    const ofSystem = wish.spec ? await this.packages(wish.spec, view) : [];
    artifacts.push(...ofSystem);
    view.note = 'packing';
    const packed = [];
    for (const name of names) packed.push(await packBundle(this.artifacts.store, await this.bundles.folder(name)));
    const created = new Date(Math.floor(this.edges.now() / 1000) * 1000);
    const content: BundleFileContent = {
      ...{
        name: wish.name,
        version: wish.version,
        strata: serverVersion,
        artifacts,
        bundles: packed,
        catalog: [...entries, ...ofSystem.map((a) => ({ ...a, approximateSize: a.blob.size }))].map(fromFile),
      },
      ...{ created: created.toISOString(), expires: new Date(created.getTime() + wish.validMs).toISOString() },
    };
    const manifest = bundleFileManifest(content);
    view.size = bundleFile(manifest, this.edges.keys.bundles, this.artifacts.store).size;
    [view.note, view.state, making.manifest] = ['ready', 'ready', manifest];
  }
}

const wantsPackages = (spec: ClusterSpec | undefined): boolean => spec?.spec.native.packagesFrom === 'server';

/** To a server that does not know it, a pushed entry has one source: a file that is pushed again. */
const fromFile = ({ name, version, kind, ref, approximateSize }: Omit<CatalogEntry, 'sources'>): CatalogEntry => ({ name, version, kind, ...(ref !== undefined && { ref }), approximateSize, sources: [{ from: 'mirror', path: `${name}-${version}` }] }); // prettier-ignore

function mustBeGood(names: readonly string[], found: Record<string, BundleContent>): Record<string, BundleContent> {
  for (const name of names) {
    const { broken } = found[name] ?? { broken: `there is no bundle "${name}"; there are: ${Object.keys(found).join(', ') || 'none'}` };
    if (broken !== undefined) throw new ProblemError(422, 'bundle.invalid', { title: 'it cannot be packed', detail: `the bundle "${name}" cannot be packed: ${broken}`, remedy: '`strata bundle lint` names all that is wrong with a bundle' }); // prettier-ignore
  }
  return found;
}
