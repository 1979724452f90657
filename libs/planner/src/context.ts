import {
  bundleUse,
  type Capabilities,
  capabilities,
  type Catalog,
  type CatalogEntry,
  type ChartValues,
  type ClusterFacts,
  type ClusterSpec,
  type Facts,
  type NodeSpec,
  type Outside,
  outsideOf,
  type Role,
  tunnelAddress,
} from '@strata/model';
import { runtimePlace, type RuntimePlace } from '@strata/tasks';
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
  /** Whose containerd runs the cluster's containers here. */
  runtime: RuntimePlace;
}
/** What the entries of THE LIST are made from. */
export interface PlanContext {
  whole: ClusterSpec;
  /** The cluster is there already, the plan only adds nodes to it. */
  there: boolean;
  /** Some node is behind a NAT: all others reach it through a tunnel. */
  tunnel: boolean;
  /** The plan takes back: whatever any spec of this cluster may have asked for. */
  everything?: true;
  spec: ClusterSpec['spec'];
  cluster: string;
  /** Names that every node resolves by its hosts block, so that an address may change. */
  names: { api: string; meta: string; objects: string };
  nodes: PlannedNode[]; // present ones, in the order of the spec
  controlPlane: { name: string; address: string };
  absent: string[];
  catalog: Catalog;
  /** `groups`: what the nodes of a group have over the values; `facts`: what a bundle may take from the cluster. */
  bundles: {
    facts: ClusterFacts;
    name: string;
    content: BundleContent;
    values: Readonly<Record<string, ChartValues>>;
    groups: Readonly<Record<string, Readonly<Record<string, ChartValues>>>>;
  }[];
  /** Of applications beside the spec's bundles, as far as the catalog has them. */
  appImages: CatalogEntry[];
  facts: ReadonlyMap<string, Facts>;
  /** How downloads get to the outside: the same for all nodes. */
  outside: Outside;
  now: number;
}

/** @throws PlanRefused for addresses that are not clear, unknown bundles, a control plane that is not there. */
export function contextOf(request: PlanRequest): PlanContext {
  const { spec } = request.spec;
  const cluster = request.spec.metadata.name;
  const takesBack = ['uninstall', 'remove-node'].includes(request.intent.kind);
  const away = (n: NodeSpec): boolean => request.absent.includes(n.name) || !request.facts.has(n.name);
  // a machine of which nothing is known has nothing of ours that could be taken back: nobody waits for it
  const absent = spec.nodes.filter((n) => (takesBack ? request.absent.includes(n.name) : away(n))).map((n) => n.name);
  const nodes = spec.nodes
    .filter((n) => !away(n))
    .map((n): PlannedNode => {
      const facts = request.facts.get(n.name) as Facts;
      return {
        name: n.name,
        role: n.role,
        address: n.nat ? tunnelAddress(spec.network.tunnelCidr, n.name) : addressOf(n, facts),
        spec: n,
        facts,
        can: capabilities(facts),
        runtime: runtimePlace(facts),
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
  const controlPlane =
    nodes.find((n) => n.role === 'control-plane') ??
    (takesBack ? lostControlPlane(request) : request.intent.kind === 'failover-storage' ? awayControlPlane(request) : null);
  if (!controlPlane) throw noControlPlane(spec.nodes);
  const suffix = `${cluster}.strata.internal`;
  return {
    outside: outsideOf(spec, [...nodes.map((n) => n.address), ...(request.serverHosts ?? [])]),
    whole: request.spec, there: request.intent.kind === 'add-node', tunnel: spec.nodes.some((n) => n.nat), facts: request.facts, spec, cluster, nodes, controlPlane, absent, catalog: request.catalog, now: request.now,
    names: { api: `api.${suffix}`, meta: `meta.${suffix}`, objects: `objects.${suffix}` },
    bundles: spec.bundles.map(bundleUse).map((use) => ({ ...use, facts: factsOf(request.spec), content: bundleNamed(use.name, request.bundles) })),
    appImages: (request.appImages ?? []).flatMap((i) => request.catalog.entries.find((e) => e.name === i.name && e.version === i.version) ?? []),
  }; // prettier-ignore
}
/** What a bundle may take from the cluster that it is for. */
export const factsOf = ({ metadata: { name }, spec: { network: { podCidr, serviceCidr } } }: ClusterSpec): ClusterFacts => ({ name, podCidr, serviceCidr }); // prettier-ignore
function bundleNamed(name: string, bundles: PlanRequest['bundles']): BundleContent {
  const found = bundles[name];
  if (found?.broken !== undefined) throw new PlanRefused('bundle.invalid', `the bundle "${name}" cannot be used: ${found.broken}`, 'correct the file at that place; `strata bundle lint` names all there is'); // prettier-ignore
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

/** Taking back works without the control plane: only its name and some address are needed, to say which lines of ours to drop. */
function lostControlPlane(request: PlanRequest): { name: string; address: string } | null {
  const node = request.spec.spec.nodes.find((n) => n.role === 'control-plane');
  return node ? { name: node.name, address: node.address !== undefined && /^\d/.test(node.address) ? node.address : '192.0.2.1' } : null;
}
/** A failover goes on without the control plane, which may be the very machine that is lost: its address is the one that it had. */
function awayControlPlane(request: PlanRequest): { name: string; address: string } | null {
  const node = request.spec.spec.nodes.find((n) => n.role === 'control-plane');
  const facts = node && request.facts.get(node.name);
  return node && facts ? { name: node.name, address: addressOf(node, facts) } : null;
}
function noControlPlane(nodes: readonly NodeSpec[]): PlanRefused {
  const node = nodes.find((n) => n.role === 'control-plane');
  const name = node?.name ?? '';
  return new PlanRefused(
    'control-plane.absent',
    `the control plane ${name} cannot be reached, and no cluster can begin without it`,
    node?.join ? `run the join command on ${name} first (\`strata node join-command\`), then apply again` : `bring ${name} up, then apply again`,
  );
}
