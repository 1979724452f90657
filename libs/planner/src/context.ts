import { type Capabilities, capabilities, type Catalog, type CatalogEntry, type ClusterSpec, type Facts, type NodeSpec, type Role } from '@strata/model';
import { addressOf } from './addresses';
import { PlanRefused } from './refused';
import type { BundleContent, PlanRequest } from './request';

/** A machine that gets steps. */
export interface PlannedNode {
  name: string;
  role: Role;
  address: string;
  spec: NodeSpec;
  facts: Facts;
  can: Capabilities;
  nodeId: string | null;
}
/** What the entries of THE LIST are made from. */
export interface PlanContext {
  whole: ClusterSpec;
  /** The cluster is there already, the plan only adds nodes to it. */
  there: boolean;
  spec: ClusterSpec['spec'];
  cluster: string;
  /** Names that every node resolves by its hosts block, so that an address may change. */
  names: { api: string; meta: string; objects: string };
  nodes: PlannedNode[]; // present ones, in the order of the spec
  controlPlane: PlannedNode;
  absent: string[];
  catalog: Catalog;
  bundles: { name: string; content: BundleContent }[];
  facts: ReadonlyMap<string, Facts>;
  now: number;
}

/** @throws PlanRefused for addresses that are not clear, unknown bundles, a control plane that is not there. */
export function contextOf(request: PlanRequest): PlanContext {
  const { spec } = request.spec;
  const cluster = request.spec.metadata.name;
  const absent = spec.nodes.filter((n) => request.absent.includes(n.name) || !request.facts.has(n.name)).map((n) => n.name);
  const nodes = spec.nodes
    .filter((n) => !absent.includes(n.name))
    .map((n): PlannedNode => {
      const facts = request.facts.get(n.name) as Facts;
      return {
        name: n.name,
        role: n.role,
        address: addressOf(n, facts),
        spec: n,
        facts,
        can: capabilities(facts),
        nodeId: request.enrolled.get(n.name) ?? null,
      };
    });
  nodes.forEach((n, i) => {
    const same = nodes.slice(0, i).find((m) => m.address === n.address);
    if (same)
      throw new PlanRefused(
        'address.twice',
        `${same.name} and ${n.name} both have the address ${n.address}`,
        'give each node an address of its own in the spec',
      );
  });
  const controlPlane = nodes.find((n) => n.role === 'control-plane');
  if (!controlPlane) {
    const name = spec.nodes.find((n) => n.role === 'control-plane')?.name ?? '';
    const token = spec.nodes.some((n) => n.name === name && n.join !== undefined);
    throw new PlanRefused(
      'control-plane.absent',
      `the control plane ${name} cannot be reached, and no cluster can begin without it`,
      token ? `run the join command on ${name} first (\`strata node join-command\`), then apply again` : `bring ${name} up, then apply again`,
    );
  }
  const suffix = `${cluster}.strata.internal`;
  return {
    whole: request.spec, there: request.intent.kind === 'add-node', facts: request.facts, spec, cluster, nodes, controlPlane, absent, catalog: request.catalog, now: request.now,
    names: { api: `api.${suffix}`, meta: `meta.${suffix}`, objects: `objects.${suffix}` },
    bundles: spec.bundles.map((name) => ({ name, content: bundleNamed(name, request.bundles) })),
  }; // prettier-ignore
}
function bundleNamed(name: string, bundles: PlanRequest['bundles']): BundleContent {
  const found = bundles[name];
  if (found) return found;
  const known = Object.keys(bundles).join(', ') || 'none';
  throw new PlanRefused('unknown-bundle', `there is no bundle "${name}"`, `name one of these in \`bundles\`: ${known}`);
}

/** The catalog entry of a name, in a version or else the first one. @throws PlanRefused if there is none. */
export function entryOf(catalog: Catalog, name: string, version?: string): CatalogEntry {
  const entry = catalog.entries.find((e) => e.name === name && (version === undefined || e.version === version));
  if (entry) return entry;
  const known = catalog.entries.filter((e) => e.name === name).map((e) => e.version);
  throw new PlanRefused(
    'not-in-catalog',
    `the catalog has no ${name}${version === undefined ? '' : ` ${version}`}`,
    known.length > 0 ? `choose one of its versions: ${known.join(', ')}` : 'add it to catalog/, or take another distribution',
  );
}
