import { artifactKey, type Artifact, type CatalogEntry } from '@strata/model';
import { obtainArtifact, type ObtainOptions } from './obtain';
import type { Progress } from './progress';

/** Progress of one artifact among several: the `index`th (from 1) of `count`. `state` is `ready` once it is in the store. */
export interface PrepareProgress extends Progress {
  artifact: string;
  index: number;
  count: number;
  state: 'working' | 'ready';
  /** Milliseconds since this artifact was begun. */
  elapsedMs: number;
}

export type PrepareOptions = Omit<ObtainOptions, 'progress'> & { progress: (progress: PrepareProgress) => void };

/** Obtains entries one after another. Gives them in the same order; stops at the first that cannot be obtained (an `ObtainError`). */
export async function obtainAll(entries: readonly CatalogEntry[], options: PrepareOptions): Promise<Artifact[]> {
  const artifacts: Artifact[] = [];
  for (const [at, entry] of entries.entries()) {
    options.signal?.throwIfAborted();
    const started = Date.now();
    const say = (state: PrepareProgress['state'], progress: Progress): void =>
      options.progress({ ...progress, state, artifact: artifactKey(entry), index: at + 1, count: entries.length, elapsedMs: Date.now() - started });
    const artifact = await obtainArtifact(entry, { ...options, progress: (p) => say('working', p) });
    artifacts.push(artifact);
    const bytes = sizeOf(artifact);
    say('ready', { bytes, total: bytes, note: 'ready' });
  }
  return artifacts;
}

/** All bytes of an artifact. */
export function sizeOf(artifact: Artifact): number {
  return artifact.kind === 'image' ? artifact.blobs.reduce((sum, b) => sum + b.size, 0) : artifact.blob.size;
}
