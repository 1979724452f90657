import { type Artifact, artifactKey, type Catalog, isOutputRef, isSecretRef, type OutputRef } from '@strata/model';

const counts = { beat: 0, nextchunk: 0, nextinode: 0, nextsession: 0, files: 0, keys: 0 };
const none = { sha256: '0'.repeat(64), size: 0 };
/** What stands for an artifact that nobody has yet: right in name, kind and version, of no content. */
function stand(catalog: Catalog, name: string): Artifact | null {
  const entry = catalog.entries.find((e) => e.name === name);
  if (!entry) return null;
  const { version, kind } = entry;
  if (kind !== 'image') return { kind, name, version, blob: none };
  return {
    kind,
    name,
    version,
    ref: entry.ref ?? `strata.local/${name}:${version}`,
    blobs: [
      { ...none, mediaType: 'manifest' },
      { ...none, mediaType: 'config' },
    ],
  };
}
function valueOf(ref: OutputRef, catalog: Catalog, versions: ReadonlyMap<string, string>): unknown {
  const name = /^cluster\/artifact\.obtain@(.+)$/.exec(ref.$output)?.[1];
  if (name === undefined) return { caPem: '-----BEGIN CERTIFICATE-----\n', sha256: none.sha256, seen: 0, bytes: 0, files: 0, counts }[ref.path] ?? ref;
  const version = versions.get(name) ?? catalog.entries.find((e) => e.name === name)?.version ?? '';
  return catalog.obtained[artifactKey({ name, version })] ?? stand(catalog, name) ?? ref;
}

/**
 * An input in which every reference is replaced by something of the right shape: artifacts by what the catalog knows of them, secrets by
 * a name that nothing resolves. For checking a plan, and for undo, which takes back by what was found before and never needs the values.
 */
export function withoutReferences(input: unknown, catalog: Catalog, versions: ReadonlyMap<string, string> = new Map()): unknown {
  if (isOutputRef(input)) return valueOf(input, catalog, versions);
  if (isSecretRef(input)) return { $secret: 'none:undo' };
  if (Array.isArray(input)) return input.map((item) => withoutReferences(item, catalog, versions));
  if (typeof input !== 'object' || input === null) return input;
  return Object.fromEntries(Object.entries(input).map(([key, value]) => [key, withoutReferences(value, catalog, versions)]));
}
