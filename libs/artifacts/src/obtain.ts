import { artifactKey, type Artifact, type ArtifactSource, type CatalogEntry } from '@strata/model';
import { buildRecipe } from './build-recipe';
import { LockedDigestError, ObtainError, reasonOf, type FailedSource } from './failure';
import { fromMirror } from './mirror';
import type { OnProgress } from './progress';
import { fetchImage } from './registry';
import type { ArtifactStore } from './store';
import type { WayOut } from './way-out';
import { fetchVendor } from './vendor';

export interface ObtainOptions {
  store: ArtifactStore;
  /** The folder with the catalog's yaml files and `recipes/`. */
  catalogDir: string;
  progress: OnProgress;
  signal?: AbortSignal;
  /** Folders asked before anything else: another machine's store, or files with a `.sha256` beside them. */
  mirrorDirs?: readonly string[];
  /** Also takes recipes whose publisher is not the vendor. */
  allowUnofficial?: boolean;
  urlRewrite?: (url: string) => string;
  /** Environment of the builders (PATH, HOME, proxies). Default: this process's. */
  env?: NodeJS.ProcessEnv;
  /** The way out, for our own downloads and the builders'. Default: what the environment says. */
  way?: WayOut;
}

/**
 * Gives the artifact of a catalog entry: from the store when it is there whole, else from the first source that works, in the order mirror folders,
 * then the entry's sources. One at a time for an entry across processes. Throws an `ObtainError` with every source's reason, or the reason of an abort.
 */
export async function obtainArtifact(entry: CatalogEntry, options: ObtainOptions): Promise<Artifact> {
  const { store } = options;
  const ready = await store.obtained(entry);
  if (ready) return ready;
  const key = artifactKey(entry);
  const onWait = (pid: number): void => options.progress({ bytes: 0, total: 0, note: `process ${pid} is obtaining ${key}, waiting for it` });
  return store.locked(
    `obtain-${key}`,
    async () => {
      const artifact = (await store.obtained(entry)) ?? (await trySources(entry, options));
      await store.recordObtained(artifact);
      return artifact;
    },
    { ...(options.signal ? { signal: options.signal } : {}), onWait },
  );
}

async function trySources(entry: CatalogEntry, options: ObtainOptions): Promise<Artifact> {
  const failed: FailedSource[] = [];
  const attempt = async (source: string, work: () => Promise<Artifact | undefined>): Promise<Artifact | undefined> => {
    try {
      options.progress({ bytes: 0, total: 0, note: `trying ${source}` });
      const artifact = await work();
      if (!artifact) failed.push({ source, reason: 'does not have it' });
      return artifact;
    } catch (error) {
      options.signal?.throwIfAborted();
      if (error instanceof LockedDigestError) throw error;
      failed.push({ source, reason: reasonOf(error) });
      options.progress({ bytes: 0, total: 0, note: `${source} failed: ${reasonOf(error)}` });
      return undefined;
    }
  };
  for (const dir of options.mirrorDirs ?? []) {
    const paths = entry.sources.flatMap((s) => (s.from === 'mirror' ? [s.path] : []));
    for (const path of paths.length > 0 ? paths : [undefined]) {
      const found = await attempt(`mirror ${dir}`, () => fromMirror(options.store, dir, { entry, ...(path === undefined ? {} : { path }) }));
      if (found) return found;
    }
  }
  for (const source of entry.sources) {
    if (source.from === 'mirror') continue;
    const found = await attempt(nameOf(source), () => fromSource(entry, source, options));
    if (found) return found;
  }
  throw new ObtainError(artifactKey(entry), failed, remediesFor(entry));
}

async function fromSource(entry: CatalogEntry, source: Exclude<ArtifactSource, { from: 'mirror' }>, options: ObtainOptions): Promise<Artifact> {
  if (source.from === 'recipe') {
    if (source.unofficial && !options.allowUnofficial)
      throw new Error(`its publisher is not the vendor (${source.publisher}), and spec.artifacts.allowUnofficial is not true`);
    const env = options.env ?? process.env;
    const way = options.way && (await options.way.forPrograms(options.store.dir, env));
    return buildRecipe({ ...options, env: way?.env ?? env, aptOptions: way?.aptOptions ?? [] }, entry, source.recipe);
  }
  if (source.from === 'registry') return fetchImage(source, entry, options);
  if (entry.kind === 'image') throw new Error('an image cannot be taken from a plain address');
  return { kind: entry.kind, name: entry.name, version: entry.version, blob: await fetchVendor(source, options) };
}

function nameOf(source: Exclude<ArtifactSource, { from: 'mirror' }>): string {
  return source.from === 'url' ? source.url : source.from === 'registry' ? source.image : `recipe ${source.recipe}`;
}

function remediesFor(entry: CatalogEntry): string[] {
  const hosts = [
    ...new Set(entry.sources.flatMap((s) => (s.from === 'url' ? [new URL(s.url).host] : s.from === 'registry' ? s.image.split('/').slice(0, 1) : []))),
  ];
  const others = entry.sources.flatMap((s) => (s.from === 'recipe' && s.unofficial ? [s.publisher] : []));
  const hasRecipe = entry.sources.some((s) => s.from === 'recipe');
  return [
    ...(hosts.length > 0 ? [`let this machine reach ${hosts.join(', ')} (network.proxy of the spec, else HTTPS_PROXY, is honoured)`] : []),
    ...others.map((o) => `set spec.artifacts.allowUnofficial: true (obtain-main: --unofficial) if you trust ${o}`),
    `obtain ${artifactKey(entry)} on a machine that can, and give that machine's store as a mirror folder`,
    ...(hasRecipe
      ? ['mend what the recipe says above: it needs Go modules, PyPI and Debian packages only']
      : ['no recipe can build it: no package registry carries it']),
  ];
}
