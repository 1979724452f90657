import { artifactKey, type CatalogEntry, type ChartValues, type Component, type Gate, isChart, milliseconds, releaseOf } from '@strata/model';
import { helmRelease, manifestsApply } from '@strata/tasks';
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
/** Catalog entries of the images of all bundles, and of the applications beside them, each once. */
export function bundleImages(c: PlanContext): CatalogEntry[] {
  const all = [...c.bundles.flatMap((b) => b.content.images.map((i) => entryOf(c.catalog, i.name, i.version))), ...c.appImages];
  return [...new Map(all.map((e) => [artifactKey(e), e])).values()];
}
/** Those, and what releases charts where there are any. */
export const bundleArtifacts = (c: PlanContext): CatalogEntry[] => [
  ...(c.bundles.some((b) => b.content.components.some((m) => isChart(m.component))) ? [entryOf(c.catalog, helm)] : []),
  ...bundleImages(c),
];
const helm = 'helm';

const stepName = (bundle: string, component: Component): string => `${bundle}.${component.name}`;
const keyOf = (bundle: string, component: Component): string =>
  `cluster/${(isChart(component) ? helmRelease : manifestsApply).name}@${stepName(bundle, component)}`;

function component(on: Steps, { name, content: { components, version }, values }: Bundled, { content, begin }: { content: Content; begin: string[] }): void {
  const { component: of, objects, digest } = content;
  const needs = components.filter((m) => of.needs.includes(m.component.name)).map((m) => keyOf(name, m.component));
  const line = on.line(null, ...begin, ...needs);
  const options = { as: stepName(name, of) };
  const shared = { bundle: name, timeoutMs: milliseconds(of.timeout) };
  if (!isChart(of)) {
    const established = of.kind === 'crds' ? objects.map((o): Gate => ({ established: o.metadata.name })) : [];
    line.step(manifestsApply, { ...shared, objects, gates: [...established, ...of.gates] }, { ...options, title: `${of.name} of bundle ${name} works` });
    return;
  }
  const input = { release: releaseOf(of), namespace: of.namespace, chart: of.chart, digest: digest ?? '', onFailure: of.onFailure, gates: of.gates, resources: objects };
  const title = `release ${input.release} of bundle ${name} works`;
  const given = values[of.name] ?? {};
  const made = { bundle: name, component: of.name, version, given };
  // a step of Helm needs its program; where the store has it already this is over at once
  line.after(...obtaining([helm])).step(helmRelease, { ...shared, ...input, values: mergedValues(of.values, given), made }, { ...options, title });
} // prettier-ignore

/** The spec's values over the bundle's own: maps are merged, all else is replaced, null takes a value away, as with Helm. */
export function mergedValues(own: ChartValues, over: ChartValues): ChartValues {
  const all: ChartValues = { ...own };
  for (const [key, value] of Object.entries(over)) {
    const was = all[key];
    all[key] = isMap(value) && isMap(was) ? mergedValues(was, value) : value;
  }
  return all;
}
const isMap = (value: unknown): value is ChartValues => typeof value === 'object' && value !== null && !Array.isArray(value);

/** @throws PlanRefused for values of something that the bundle does not have, or that has none. */
function mustNameCharts({ name, content, values }: Bundled): void {
  const charts = content.components.map((m) => m.component).filter(isChart).map((m) => m.name); // prettier-ignore
  const unknown = Object.keys(values).find((key) => !charts.includes(key));
  if (unknown === undefined) return;
  throw new PlanRefused(
    'bundle.no-chart',
    `the spec has values for "${unknown}" of the bundle "${name}", which has no chart of that name`,
    charts.length === 0 ? 'leave them out: nothing in this bundle takes values' : `name one of: ${charts.join(', ')}`,
  );
}
