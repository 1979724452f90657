import {
  artifactKey,
  type CatalogEntry,
  type ChartValues,
  type Component,
  type Gate,
  isChart,
  mergedValues,
  milliseconds,
  releaseOf,
  withClusterFacts,
} from '@strata/model';
import { helmRelease, manifestsApply, type Task } from '@strata/tasks';
import { entryOf, type PlanContext } from './context';
import type { Distribution } from './distribution';
import { PlanRefused } from './refused';
import type { BundleContent } from './request';
import { obtaining, type Steps } from './steps';

type Content = BundleContent['components'][number];
type Bundled = PlanContext['bundles'][number];

/**
 * The containerized layer: each component when those that it needs work, side by side otherwise; a bundle after the one before it. The first of all begin
 * when every node that is here can take pods.
 */
export function bundles(on: Steps, c: PlanContext, d: Distribution): void {
  on.phase('activate');
  let begin = [d.networkReady, ...c.nodes.map((n) => d.nodeReady(n.name))];
  for (const bundle of c.bundles) {
    mustNameCharts(bundle);
    for (const content of bundle.content.components) component(on, bundle, { content, begin });
    const ends = bundle.content.components.map((m) => keyOf(bundle.name, m.component));
    if (ends.length > 0) begin = ends;
  }
}
/** What of a plan's context says which bundles there are. */
type Bundles = Pick<PlanContext, 'catalog'> & Partial<Pick<PlanContext, 'appImages'>> & { bundles: readonly Pick<Bundled, 'content'>[] };

/** Catalog entries of the images of all bundles, and of the applications beside them, each once. */
export function bundleImages(c: Bundles): CatalogEntry[] {
  const all = [...c.bundles.flatMap((b) => b.content.images.map((i) => entryOf(c.catalog, i.name, i.version))), ...(c.appImages ?? [])];
  return [...new Map(all.map((e) => [artifactKey(e), e])).values()];
}
/** Those, and what releases charts where there are any. */
export const bundleArtifacts = (c: Bundles): CatalogEntry[] => [
  ...(c.bundles.some((b) => b.content.components.some((m) => isChart(m.component))) ? [entryOf(c.catalog, helm)] : []),
  ...bundleImages(c),
];
const helm = 'helm';

const stepName = (bundle: string, component: Component): string => `${bundle}.${component.name}`;
const keyOf = (bundle: string, component: Component): string =>
  `cluster/${(isChart(component) ? helmRelease : manifestsApply).name}@${stepName(bundle, component)}`;

type ReleaseInput = NonNullable<(typeof helmRelease)['inputType']>;
/** A component as what carries it out: by server-side apply or by Helm. */
export type ComponentWork =
  { by: 'apply'; task: Task; input: NonNullable<(typeof manifestsApply)['inputType']> } | { by: 'helm'; task: Task; input: ReleaseInput };

type Chart = Extract<Component, { chart: string }>;

/** A chart of a bundle as Helm is to release it, with the values that the cluster wants; what a group of nodes has over them stands below `nodeGroups`. */
export function releaseInput({ name, content: { version }, values, groups, facts }: Bundled, of: Chart, { objects, digest }: Pick<Content, 'objects' | 'digest'>): ReleaseInput {
  const given = values[of.name] ?? {};
  const all = mergedValues(withClusterFacts(of.values, facts), given);
  const ofGroups = Object.entries(groups).flatMap(([group, { [of.name]: own }]): [string, ChartValues][] => (own ? [[group, own]] : []));
  return {
    bundle: name, release: releaseOf(of), namespace: of.namespace, chart: of.chart, digest: digest ?? '', values: ofGroups.length === 0 ? all : { ...all, nodeGroups: Object.fromEntries(ofGroups) },
    made: { bundle: name, component: of.name, version, given }, resources: objects, gates: of.gates, onFailure: of.onFailure, timeoutMs: milliseconds(of.timeout),
  };
} // prettier-ignore

/** What a component of a bundle comes to. */
export function componentWork(bundle: Bundled, content: Content): ComponentWork {
  const { component: of, objects } = content;
  if (isChart(of)) return { by: 'helm', task: helmRelease, input: releaseInput(bundle, of, content) };
  const established = of.kind === 'crds' ? objects.map((o): Gate => ({ established: o.metadata.name })) : [];
  const input = { bundle: bundle.name, objects, gates: [...established, ...of.gates], timeoutMs: milliseconds(of.timeout) };
  return { by: 'apply', task: manifestsApply, input };
}

function component(on: Steps, bundle: Bundled, { content, begin }: { content: Content; begin: string[] }): void {
  const { name, content: { components } } = bundle; // prettier-ignore
  const of = content.component;
  const needs = components.filter((m) => of.needs.includes(m.component.name)).map((m) => keyOf(name, m.component));
  const line = on.line(null, ...begin, ...needs);
  const options = { as: stepName(name, of) };
  const work = componentWork(bundle, content);
  if (work.by === 'apply') line.step(manifestsApply, work.input, { ...options, title: `${of.name} of bundle ${name} works` });
  // a step of Helm needs its program; where the store has it already this is over at once
  else line.after(...obtaining([helm])).step(helmRelease, work.input, { ...options, title: `release ${work.input.release} of bundle ${name} works` });
}

/** @throws PlanRefused for values of something that the bundle does not have, or that takes none: for all nodes, or for those of a group. */
function mustNameCharts({ name, content, values, groups }: Bundled): void {
  const charts = content.components.map((m) => m.component).filter(isChart);
  const known = (key: string, of: readonly Chart[]): boolean => of.some((m) => m.name === key);
  const unknown = [values, ...Object.values(groups)].flatMap((v) => Object.keys(v)).find((key) => !known(key, charts));
  if (unknown !== undefined)
    throw new PlanRefused(
      'bundle.no-chart',
      `the spec has values for "${unknown}" of the bundle "${name}", which has no chart of that name`,
      charts.length === 0 ? 'leave them out: nothing in this bundle takes values' : `name one of: ${charts.map((m) => m.name).join(', ')}`,
    );
  const perGroup = charts.filter((m) => m.perGroup === true);
  const whole = Object.values(groups).flatMap((v) => Object.keys(v)).find((key) => !known(key, perGroup)); // prettier-ignore
  if (whole === undefined) return;
  throw new PlanRefused(
    'bundle.not-per-group',
    `the spec has values of a group of nodes for "${whole}" of the bundle "${name}", which is the same on all nodes`,
    perGroup.length === 0 ? 'nothing in this bundle takes them: put them into `values`' : `these take them: ${perGroup.map((m) => m.name).join(', ')}`,
  );
}
