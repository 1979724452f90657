import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ArtifactSource, artifactKey, canonicalJson, CatalogEntry, Version, type Catalog } from '@strata/model';
import { z } from 'zod';
import type { ArtifactStore } from './store';
import { readYaml } from './yaml-file';

/** An artifact in `catalog/*.yaml`: as a `CatalogEntry`, but for several versions; `{version}` in its texts stands for each. */
const CatalogFile = z.strictObject({
  artifacts: z.array(
    z.strictObject({
      ...CatalogEntry.omit({ version: true, ref: true, sources: true }).shape,
      versions: z.array(Version).min(1),
      ref: z.string().optional(),
      sources: z.array(ArtifactSource).min(1),
    }),
  ),
});

/**
 * Reads every `*.yaml` in `dir` (not below) and says which entries the store already has.
 * `more`: entries of others, behind its own, which win.
 * Throws with file, line and column for what does not fit, and when two lines give the same name and version.
 */
export async function loadCatalog(dir: string, store: ArtifactStore, more: readonly CatalogEntry[] = []): Promise<Catalog> {
  const entries: CatalogEntry[] = [];
  const from = new Map<string, string>();
  for (const file of (await readdir(dir)).filter((f) => f.endsWith('.yaml') && f !== 'locks.yaml').sort()) {
    for (const { versions, ...line } of (await readYaml(join(dir, file), CatalogFile)).artifacts) {
      for (const version of versions) {
        const entry = CatalogEntry.parse(fillIn({ ...line, version }, { version }));
        const key = artifactKey(entry);
        if (from.has(key)) throw new Error(`${join(dir, file)}: ${key} is also in ${from.get(key)}`);
        from.set(key, file);
        entries.push(entry);
      }
    }
  }
  for (const entry of more) {
    if (!from.has(artifactKey(entry))) entries.push(entry);
    from.set(artifactKey(entry), 'a bundle file');
  }
  const digest = createHash('sha256').update(canonicalJson(entries)).digest('hex');
  return { digest, entries, obtained: await store.allObtained() };
}

/** Finds an entry. Throws and names the versions, or the artifacts, that there are. */
export function findEntry(catalog: Catalog, name: string, version?: string): CatalogEntry {
  const named = catalog.entries.filter((e) => e.name === name);
  if (named.length === 0) throw new Error(`the catalog has no artifact ${name}. It has: ${[...new Set(catalog.entries.map((e) => e.name))].join(', ')}`);
  const found = version === undefined ? named[0] : named.find((e) => e.version === version);
  if (!found) throw new Error(`the catalog has no ${name} ${version}. It has: ${named.map((e) => e.version).join(', ')}`);
  return found;
}

/** Replaces `{key}` in every text of a JSON-like value. */
export function fillIn<T>(value: T, words: Readonly<Record<string, string>>): T {
  if (typeof value === 'string') return value.replace(/\{(\w+)\}/g, (whole, key: string) => words[key] ?? whole) as T;
  if (Array.isArray(value)) return value.map((item: unknown) => fillIn(item, words)) as T;
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, fillIn<unknown>(v, words)])) as T;
}
