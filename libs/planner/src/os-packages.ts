import { type CatalogEntry, type ClusterSpec, osPackagesName } from '@strata/model';
import { nativeTasks } from '@strata/tasks';
import type { PlanContext, PlannedNode } from './context';
import { fetch } from './fetch';
import { PlanRefused } from './refused';
import { artifact, type Line } from './steps';

/** The packages that a node's release gets from the server; null where they come from the machine's own sources. @throws PlanRefused where there are none */
export function osPackages({ spec, catalog, everything }: Pick<PlanContext, 'spec' | 'catalog' | 'everything'>, n: PlannedNode): CatalogEntry | null {
  if (spec.native.packagesFrom !== 'server' && !everything) return null;
  const name = osPackagesName(n.facts.os);
  const entry = catalog.entries.find((e) => e.name === name);
  if (entry || everything) return entry ?? null;
  const others = [...new Set(catalog.entries.flatMap((e) => (e.name.startsWith('os-packages-') ? [e.name] : [])))];
  throw new PlanRefused(
    'packages.not-here',
    `${n.name} is ${n.facts.os.name}, and the server has no packages for it${others.length > 0 ? `, only ${others.join(', ')}` : ''}`,
    `make a bundle file of this spec on a server that runs ${n.facts.os.name} and push it (docs/bundle-files.md), or set native.packagesFrom: machine`,
  );
}

/** They are on the machine ahead of the first package. */
export function packagesFirst(line: Line, n: PlannedNode, c: PlanContext): void {
  const entry = osPackages(c, n);
  if (!entry) return;
  fetch(line, 'packages', [entry.name]);
  line.step(nativeTasks.packagesSource, { archive: artifact(entry.name) });
}

/** Every package that a machine of such a cluster may be asked to install, by Debian's names. */
export const packagesToPack = ({ spec }: ClusterSpec): string[] =>
  [...new Set(['ca-certificates', 'chrony', 'conntrack', 'ethtool', 'nftables', 'openvpn', 'redis-tools', 'socat', ...spec.native.packages])].sort();
