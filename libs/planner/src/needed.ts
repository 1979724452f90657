import { artifactKey, type CatalogEntry, type ClusterSpec } from '@strata/model';
import { bundleArtifacts } from './bundles';
import { contextOf, entryOf } from './context';
import { wanted } from './install';
import { distributionOf } from './plan';
import type { PlanRequest } from './request';

/** What is to be packed: the needs of a cluster, or of bundles by themselves, and entries by name. */
export interface Wanted extends Pick<PlanRequest, 'catalog' | 'bundles'> {
  spec: ClusterSpec | null;
  /** Names in `bundles` that are wanted besides those of the spec. */
  besides: readonly string[];
  artifacts: readonly { name: string; version: string }[];
}

/**
 * The catalog entries that a plan of this spec would obtain, whatever its machines are, and what the bundles need, each once.
 * @throws PlanRefused for what there is not
 */
export function needed({ spec, catalog, bundles, besides, artifacts }: Wanted): CatalogEntry[] {
  const all = artifacts.map((a) => entryOf(catalog, a.name, a.version));
  if (spec) {
    // taking back needs no facts of machines, so what it would know of the cluster is all that a spec says by itself
    const c = contextOf({ spec, catalog, bundles, id: '', clusterId: '', specVersion: 0, facts: new Map(), enrolled: new Map(), absent: [], now: 0, sha256: () => '', intent: { kind: 'uninstall', nodes: [], dryRun: true, force: false } }); // prettier-ignore
    all.push(...wanted(c, distributionOf(c)));
  }
  const contents = besides.flatMap((name) => (bundles[name] ? [{ content: bundles[name] }] : []));
  all.push(...bundleArtifacts({ catalog, bundles: contents }));
  return [...new Map(all.map((a) => [artifactKey(a), a])).values()];
}
