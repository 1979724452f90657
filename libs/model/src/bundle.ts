import { z } from 'zod';
import { Duration, milliseconds, Name, Port, Version } from './names';

/** Enough of a Kubernetes object to know which one it is; all else is its own business. */
export const ManifestObject = z.looseObject({
  apiVersion: z.string().min(1),
  kind: z.string().min(1),
  metadata: z.looseObject({ name: z.string().min(1), namespace: z.string().optional() }),
});
export type ManifestObject = z.infer<typeof ManifestObject>;

const namespace = Name.default('default');
/** A field by its place, as `status.phase` or `status.addresses.0`; a condition of `status.conditions` by its type. */
const ResourceGate = z
  .strictObject({
    apiVersion: z.string().min(1),
    kind: z.string().min(1),
    name: z.string().min(1),
    namespace: Name.optional(), // left out for what belongs to the whole cluster
    condition: z.string().min(1).optional(),
    field: z.string().regex(/^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/, 'must be the place of a field, such as status.phase').optional(),
    is: z.string().default('True'),
  })
  .refine((g) => (g.condition === undefined) !== (g.field === undefined), { message: 'needs either `condition` or `field`, and not both', path: ['field'] }); // prettier-ignore
export const WorkloadRef = z.strictObject({ apiVersion: z.string().default('apps/v1'), kind: z.enum(['Deployment', 'DaemonSet', 'StatefulSet']), name: z.string().min(1), namespace }); // prettier-ignore
export type WorkloadRef = z.infer<typeof WorkloadRef>;
const gates = {
  rollout: WorkloadRef, // all its pods are of the newest kind and available
  established: z.string().min(1), // a custom resource's definition, by its name: the API serves it
  complete: z.strictObject({ name: z.string().min(1), namespace }), // a Job
  resource: ResourceGate,
  http: z.strictObject({ service: Name, namespace, port: Port, path: z.string().regex(/^\//).default('/'), status: z.int().default(200), contains: z.string().optional() }), // asked through the API server
} as const; // prettier-ignore
const gateKinds = Object.keys(gates);
/** What is wrong with a gate, by the kind that it names: of a choice of five the library says only that none fits. */
function wrongGate({ input, errors = [] }: { input?: unknown; errors?: readonly (readonly { path: PropertyKey[]; message: string }[])[] }): string {
  const kind = isMap(input) ? gateKinds.findIndex((k) => Object.hasOwn(input, k)) : -1;
  if (kind < 0) return `must be one of ${gateKinds.join(', ')}`;
  return (errors[kind] ?? []).map((e) => `${e.path.join('.')}: ${e.message}`).join('; ');
}
/** The health condition that opens what comes next. */
export const Gate = z.union(
  [
    z.strictObject({ rollout: gates.rollout }),
    z.strictObject({ established: gates.established }),
    z.strictObject({ complete: gates.complete }),
    z.strictObject({ resource: gates.resource }),
    z.strictObject({ http: gates.http }),
  ],
  { error: (issue) => wrongGate(issue as Parameters<typeof wrongGate>[0]) },
);
export type Gate = z.infer<typeof Gate>;

/** A file of the bundle, by its place in the bundle's folder. */
const BundleFilePath = z.string().regex(/^(crds|manifests)\/[A-Za-z0-9][A-Za-z0-9._-]*\.ya?ml$/, 'must be a YAML file of the bundle: manifests/NAME.yaml or crds/NAME.yaml'); // prettier-ignore
const ChartPath = z.string().regex(/^charts\/[a-z0-9][a-z0-9-]*$/, 'must be a chart of the bundle: charts/NAME');
/** Longer nobody waits for one component. */
const longestMs = 30 * 60_000;
/** What a cluster has when such a component works, for whoever asks whether it has it. */
export const Provides = z.enum(['network-policy', 'ingress', 'metrics', 'default-storage']);
export type Provides = z.infer<typeof Provides>;
const common = {
  name: Name,
  provides: z.array(Provides).optional(), // nothing where it is left out
  needs: z.array(Name).default([]), // components of the same bundle
  gates: z.array(Gate).default([]),
  timeout: Duration.default('5m').refine((d) => /^\d+(ms|s|m|h|d)$/.test(d) && milliseconds(d) <= longestMs, 'must be 30m at most'),
} as const;
const manifests = z.array(BundleFilePath).min(1);
export const ChartValues = z.record(z.string(), z.json());
export type ChartValues = z.infer<typeof ChartValues>;
/** Values over those that are there: maps are merged, all else is replaced, null takes a value away, as with Helm. */
export function mergedValues(own: ChartValues, over: ChartValues): ChartValues {
  const all: ChartValues = { ...own };
  for (const [key, value] of Object.entries(over)) {
    const was = all[key];
    all[key] = isMap(value) && isMap(was) ? mergedValues(was, value) : value;
  }
  return all;
}
const isMap = (value: unknown): value is ChartValues => typeof value === 'object' && value !== null && !Array.isArray(value);
/** What a bundle can take from the cluster that it is for: `{ $cluster: serviceCidr }` in place of a value. */
export const clusterFacts = ['name', 'podCidr', 'serviceCidr'] as const;
export type ClusterFacts = Readonly<Record<(typeof clusterFacts)[number], string>>;
const factIn = (value: unknown): string | null =>
  isMap(value) && typeof value['$cluster'] === 'string' && Object.keys(value).length === 1 ? value['$cluster'] : null;
/** The values of a bundle for one cluster. What the cluster's own spec gives is data, and never asked. */
export function withClusterFacts(values: ChartValues, facts: ClusterFacts): ChartValues {
  const of = (value: z.core.util.JSONType): z.core.util.JSONType => {
    const fact = factIn(value);
    if (fact !== null) return facts[fact as keyof ClusterFacts];
    if (Array.isArray(value)) return value.map(of);
    return isMap(value) ? withClusterFacts(value, facts) : value;
  };
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, of(value)]));
}
/** Facts that a bundle asks for and nobody knows. */
function unknownFacts(value: unknown): string[] {
  const fact = factIn(value);
  if (fact !== null) return (clusterFacts as readonly string[]).includes(fact) ? [] : [fact];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(unknownFacts) : [];
}
/** Helm's own limit for the name of a release. */
const longestRelease = 53;
const chart = {
  chart: ChartPath,
  release: Name.max(longestRelease).optional(), // default: the component's name
  namespace, // made where it is not there
  values: ChartValues.default({}),
  onFailure: z.enum(['rollback', 'hold']).default('rollback'),
  perGroup: z.boolean().optional(), // it takes values of its own for groups of nodes, as `nodeGroups`
} as const;
/** One part of a bundle that is rolled out, and waited for, by itself. */
export const Component = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('crds'), ...common, manifests }),
  z.strictObject({ kind: z.literal('manifests'), ...common, manifests }),
  z.strictObject({ kind: z.literal('chart'), ...common, ...chart }),
  z.strictObject({ kind: z.literal('application'), ...common, ...chart }),
  z.strictObject({ kind: z.literal('operator'), ...common, ...chart, resources: manifests.optional() }), // applied when the operator itself runs
]);
export type Component = z.infer<typeof Component>;
export const isChart = (c: Component): c is Extract<Component, { chart: string }> => 'chart' in c;

/** What `bundle.yaml` says: images, and what is rolled out with them, each part when those that it needs are there. */
export const Bundle = z
  .strictObject({
    apiVersion: z.literal('strata/v1'),
    kind: z.literal('Bundle'),
    metadata: z.strictObject({ name: Name, version: Version }),
    images: z.array(z.strictObject({ name: z.string().min(1), version: Version })).default([]), // entries of the catalog
    components: z.array(Component).min(1),
  })
  .superRefine((bundle, ctx) => {
    for (const { path, message } of bundleIssues(bundle.components)) ctx.addIssue({ code: 'custom', path: ['components', ...path], message });
  })
  .meta({ id: 'Bundle' });
export type Bundle = z.infer<typeof Bundle>;

/** A bundle of a cluster, and what the cluster wants otherwise of the charts in it. */
const ValuesOfCharts = z.record(Name, ChartValues);
export const BundleUse = z.union([
  z.string().min(1),
  // groups: over the values, on the nodes of that group
  z.strictObject({ name: z.string().min(1), values: ValuesOfCharts.default({}), groups: z.record(Name, ValuesOfCharts).default({}) }),
]);
export type BundleUse = z.infer<typeof BundleUse>;
export const bundleUse = (use: BundleUse): Exclude<BundleUse, string> => (typeof use === 'string' ? { name: use, values: {}, groups: {} } : use);

interface Found {
  path: (string | number)[];
  message: string;
}
/** What does not fit together between the components. */
function bundleIssues(components: readonly Component[]): Found[] {
  const found: Found[] = [];
  components.forEach((c, i) => {
    const say = (message: string, ...path: (string | number)[]): void => void found.push({ path: [i, ...path], message });
    if (components.findIndex((d) => d.name === c.name) < i) say(`there is another component "${c.name}": names are given once`, 'name');
    c.needs.forEach((need, j) => {
      if (!components.some((d) => d.name === need)) say(`the bundle has no component "${need}"`, 'needs', j);
    });
    const circle = circleFrom(c.name, components);
    if (circle !== null) say(`it needs itself: ${circle.join(' needs ')}`, 'needs');
    if (c.kind === 'operator' && !c.gates.some((g) => 'resource' in g))
      say('an operator is proven by a resource that it looks after: give it a gate `resource`', 'gates');
    if (isChart(c)) {
      if (releaseOf(c).length > longestRelease)
        say(`it is the name of its release as well, for which Helm takes ${longestRelease} letters at most: give it a shorter one, or a \`release\``, 'name');
      for (const fact of unknownFacts(c.values)) say(`there is no "${fact}" of a cluster: $cluster is one of ${clusterFacts.join(', ')}`, 'values');
      const same = components.findIndex((d) => isChart(d) && releaseOf(d) === releaseOf(c) && d.namespace === c.namespace);
      if (same < i) say(`"${components[same]?.name ?? ''}" has the same release "${releaseOf(c)}" in ${c.namespace}`, 'release');
    }
  });
  return found;
}
export const releaseOf = (c: { name: string; release?: string | undefined }): string => c.release ?? c.name;

/** The way by `needs` from a component back to itself, or null. */
function circleFrom(name: string, components: readonly Component[]): string[] | null {
  const seen = new Set<string>();
  const walk = (at: string, way: readonly string[]): string[] | null => {
    for (const need of components.find((c) => c.name === at)?.needs ?? []) {
      if (need === name) return [...way, need];
      if (seen.has(need)) continue;
      seen.add(need);
      const circle = walk(need, [...way, need]);
      if (circle !== null) return circle;
    }
    return null;
  };
  return walk(name, [name]);
}
