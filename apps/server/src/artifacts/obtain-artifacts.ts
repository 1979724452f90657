import { Injectable } from '@nestjs/common';
import { type Artifact, artifactKey, type Catalog, CatalogEntry, type ClusterSpec, type Outside, outsideOf, storagePrograms } from '@strata/model';
import { answers, ArtifactStore, findEntry, loadCatalog, obtainArtifact, wayOut } from '@strata/artifacts';
import { z } from 'zod';
import { Edges } from '../serve/edges';
import { Turns } from '../serve/turns';

const catalogMs = 10_000;

interface Doing {
  progress: (fraction: number | null, note: string) => void;
  signal: AbortSignal;
  /** Also takes what is not published by its vendor. */
  unofficial: boolean;
  /** The way out of the cluster that needs it. */
  outside?: Outside;
}
interface Named {
  name: string;
  version: string;
}
/** Without a version the one that is taken where nobody asks for one. */
type Wanted = Pick<Named, 'name'> & Partial<Named>;

/** The server's store of artifacts, filled from the catalog's sources. */
@Injectable()
export class ObtainArtifacts {
  readonly store: ArtifactStore;
  private readonly turns = new Turns();
  private known: { at: number; catalog: Promise<Catalog> } | null = null;

  constructor(private readonly edges: Edges) {
    this.store = new ArtifactStore(edges.settings.artifactDir);
  }

  /** Its own files' entries, and behind them what bundle files brought that these do not name; the newest file's first. */
  async catalog(): Promise<Catalog> {
    const files = await this.edges.store.bundleFiles.taken();
    const brought = files.flatMap((f) => z.object({ catalog: z.array(CatalogEntry) }).parse(f.summary).catalog);
    return loadCatalog(this.edges.settings.catalogDir, this.store, brought);
  }
  /** A bundle file was taken: it may name more. */
  catalogChanged(): void {
    this.known = null;
  }

  /** An entry of the catalog; its files are read again after a while only. @throws Error naming what there is */
  private async entry(what: Wanted): Promise<CatalogEntry> {
    const now = this.edges.now();
    if (!this.known || now - this.known.at > catalogMs) this.known = { at: now, catalog: this.catalog() };
    return findEntry(await this.known.catalog, what.name, what.version);
  }

  /** What is there already, whole; null if it is not. */
  async obtained(what: Wanted): Promise<Artifact | null> {
    return (await this.store.obtained(await this.entry(what))) ?? null;
  }

  /** Obtains one entry, or gives what is there; calls for the same entry wait for each other. @throws ObtainError with every source's reason */
  async obtain(what: Named, doing: Doing): Promise<Artifact> {
    const entry = await this.entry(what);
    return this.turns.take(artifactKey(entry), () =>
      obtainArtifact(entry, {
        store: this.store,
        catalogDir: this.edges.settings.catalogDir,
        mirrorDirs: this.edges.settings.mirrorDirs,
        signal: doing.signal,
        allowUnofficial: doing.unofficial,
        ...(doing.outside ? { way: wayOut(doing.outside) } : {}),
        progress: ({ bytes, total, note }) => doing.progress(total > 0 ? bytes / total : null, note),
      }),
    );
  }

  /** Entries of the spec's distribution and storage that no source gives, as far as is known without trying. */
  async unobtainable(spec: ClusterSpec): Promise<string[]> {
    const k3s = spec.spec.distribution.kind === 'k3s';
    const ofStorage = storagePrograms(spec.spec);
    if (!k3s && ofStorage.length === 0) return [];
    const catalog = await this.catalog();
    const wanted = catalog.entries.filter((e) => ((k3s && e.name.startsWith('k3s')) || ofStorage.includes(e.name)) && !catalog.obtained[artifactKey(e)]);
    const gone: string[] = [];
    for (const entry of wanted) if (!(await this.mayBeHad(entry.sources, spec))) gone.push(artifactKey(entry));
    return gone;
  }

  /** A spec's way to the outside: its own hosts and this server's are reached past every proxy. */
  outside(spec: ClusterSpec): Outside {
    return outsideOf(spec.spec, this.edges.reach.hosts);
  }

  private async mayBeHad(sources: Catalog['entries'][number]['sources'], spec: ClusterSpec): Promise<boolean> {
    const { allowUnofficial } = spec.spec.artifacts;
    if (this.edges.settings.mirrorDirs.length > 0 || sources.some((s) => s.from === 'recipe' && (!s.unofficial || allowUnofficial))) return true;
    const hosts = sources.flatMap((s) => (s.from === 'url' ? [s.url] : []));
    const way = wayOut(this.outside(spec));
    const there = await Promise.all(hosts.map((url) => answers(url, { way, connectMs: 4_000, stallMs: 4_000 })));
    return there.some(Boolean);
  }
}
