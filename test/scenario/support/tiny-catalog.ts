import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ArtifactStore } from '@strata/artifacts';
import type { Artifact, CatalogEntry } from '@strata/model';
import { catalogOf } from '@strata/planner/testing';

/** A catalog of the real names with a few bytes for each, and a mirror that has them: nothing is built or downloaded. Gives the settings that point there. */
export async function tinyCatalog(dir: string): Promise<{ catalogDir: string; mirrorDirs: string; cacheDir: string }> {
  const [catalogDir, mirrorDir, cacheDir] = [join(dir, 'catalog'), join(dir, 'mirror'), join(dir, 'cache')];
  for (const folder of [catalogDir, mirrorDir, cacheDir]) mkdirSync(folder, { recursive: true });
  const { entries } = catalogOf();
  const lines = entries.map(({ version, ...entry }) => ({ ...entry, versions: [version], sources: [{ from: 'mirror', path: entry.name }] }));
  writeFileSync(join(catalogDir, 'all.yaml'), JSON.stringify({ artifacts: lines })); // JSON is YAML
  const mirror = new ArtifactStore(mirrorDir);
  for (const entry of entries) await mirror.recordObtained(await artifactOf(mirror, entry));
  return { catalogDir, mirrorDirs: mirrorDir, cacheDir };
}

async function artifactOf(store: ArtifactStore, { name, version, kind, ref }: CatalogEntry): Promise<Artifact> {
  const blob = await store.putText(`the content of ${name} ${version}`);
  if (kind !== 'image') return { kind, name, version, blob };
  const config = await store.putText(`the config of ${name} ${version}`);
  const blobs = [
    { ...blob, mediaType: 'application/vnd.oci.image.manifest.v1+json' },
    { ...config, mediaType: 'application/vnd.oci.image.config.v1+json' },
  ];
  return { kind, name, version, ref: ref ?? `strata.local/${name}:${version}`, blobs };
}
