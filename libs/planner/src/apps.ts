import { type AppWish, type CatalogEntry, type Component, type Gate, isChart, type Made, mergedValues, milliseconds, releaseOf, userOf } from '@strata/model';
import { appRemove, appRestart, appStart, appStop, helmRelease, helmRollback, manifestsApply, nativeTasks } from '@strata/tasks';
import { releaseInput } from './bundles';
import { entryOf, factsOf, type PlanContext } from './context';
import type { Distribution } from './distribution';
import { fetch } from './fetch';
import { obtain } from './install';
import { PlanRefused } from './refused';
import type { AppKnown, BundleContent, PlanRequest } from './request';
import { artifact, obtaining, type Line, type Steps } from './steps';
import { namespaceObjects } from './user-namespace';

type Chart = Extract<Component, { chart: string }>;
interface Asked {
  on: Steps;
  c: PlanContext;
  d: Distribution;
  request: PlanRequest;
  wish: AppWish;
}
/** How long a stop, a start or a way back may take, where no component says otherwise. */
const usualMs = 5 * 60_000;
/** The time of the component that it was made of, where that is noted and its bundle still has it. */
function waitMs({ app, bundles }: PlanRequest): number {
  const made = app?.made;
  const of = made && bundles[made.bundle]?.components.find((m) => m.component.name === made.component)?.component;
  return of ? milliseconds(of.timeout) : usualMs;
}
const inWords = ({ namespace, name }: AppWish): string => `${namespace}/${name}`;
const keyOf = ({ namespace, name }: AppWish): string => `${namespace}.${name}`;

/** One application: installed, changed, stopped, started, or taken away. Gives warnings. @throws PlanRefused */
export function apps(on: Steps, { c, d, request }: { c: PlanContext; d: Distribution; request: PlanRequest }): string[] {
  const wish = request.intent.app;
  if (!wish) throw new PlanRefused('app.unnamed', 'it is not said which application is meant', 'name it in `intent.app`');
  const a: Asked = { on, c, d, request, wish };
  switch (request.intent.kind) {
    case 'install-app':
      return install(a);
    case 'upgrade-app':
      return upgrade(a);
    case 'rollback-app':
      return rollback(a);
    case 'remove-app':
      return remove(a);
    default:
      return power(a);
  }
}

function install(a: Asked): string[] {
  const { wish, request, c } = a;
  if (wish.bundle === undefined || wish.component === undefined)
    throw new PlanRefused('app.unnamed', 'it is not said what is to be installed', 'name it as BUNDLE/COMPONENT: strata app list --available');
  mustNotBeOfSpec(a);
  if (request.app) throw new PlanRefused('app.exists', `there is a release ${wish.name} in ${wish.namespace} already`, `change it with \`strata app upgrade ${wish.name} --namespace ${wish.namespace}\`, or give this one another --name`); // prettier-ignore
  const { content, component, digest } = componentOf(a, wish.bundle, wish.component);
  const inSpec = c.bundles.some((b) => b.name === wish.bundle);
  if (component.needs.length > 0 && !inSpec)
    throw new PlanRefused('app.needs', `${wish.bundle}/${wish.component} needs ${component.needs.join(', ')} of its bundle, which this cluster does not have`, `add ${wish.bundle} to \`bundles\` in the spec and apply it first`); // prettier-ignore
  const made: Made = { bundle: wish.bundle, component: wish.component, version: content.version, given: wish.values ?? {} };
  return release(a, { content, component, digest, made });
}

function upgrade(a: Asked): string[] {
  const { wish } = a;
  mustNotBeOfSpec(a);
  const known = mustBeThere(a);
  const from = { bundle: wish.bundle ?? known.made?.bundle, component: wish.component ?? known.made?.component };
  if (from.bundle === undefined || from.component === undefined)
    throw new PlanRefused('app.unknown-source', `it is not noted which component of which bundle ${inWords(wish)} was made of`, 'say it: strata app upgrade NAME --from BUNDLE/COMPONENT');
  const given = wish.resetValues === true ? (wish.values ?? {}) : mergedValues(known.made?.given ?? {}, wish.values ?? {});
  const { content, component, digest } = componentOf(a, from.bundle, from.component);
  const warnings = release(a, { content, component, digest, made: { bundle: from.bundle, component: from.component, version: content.version, given } });
  return known.stopped ? [...warnings, `${inWords(wish)} is stopped: a new revision starts it`] : warnings;
} // prettier-ignore

function rollback({ on, wish, request, ...a }: Asked): string[] {
  mustNotBeOfSpec({ on, wish, request, ...a });
  const known = mustBeThere({ on, wish, request, ...a });
  const to = wish.revision ?? lastOther(known);
  const others = known.revisions.filter((n) => n !== known.revision);
  const mayWork = known.proven.length === 0 || (to !== undefined && known.proven.includes(to)); // of what Strata did not install nothing is known
  if (to === undefined || !others.includes(to) || !mayWork) {
    const what = wish.revision === undefined ? 'has no earlier revision that worked and was made of something else' : others.includes(wish.revision) ? `never worked as revision ${wish.revision}` : `has no earlier revision ${wish.revision}`;
    const worked = others.filter((n) => known.proven.includes(n));
    const remedy = worked.length === 0 ? 'there is none to go back to: change it with `strata app upgrade`' : `name one that worked with --to: ${worked.map((n) => (known.alike.includes(n) ? `${n} (of the same content as now)` : String(n))).join(', ')}`;
    throw new PlanRefused('app.no-revision', `${inWords(wish)} ${what}`, remedy);
  }
  on.phase('activate');
  const input = { release: wish.name, namespace: wish.namespace, to, from: known.revision, timeoutMs: waitMs(request) };
  obtainHelm(on, a.c).step(helmRollback, input, { as: keyOf(wish), title: `${inWords(wish)} is as in revision ${to}` });
  return known.stopped ? [`${inWords(wish)} is stopped: going back starts it`] : [];
} // prettier-ignore
/** From one that does not work, the last that did; from one that does, the last before it that is not just the same again. */
function lastOther({ revision, revisions, proven, good, alike }: AppKnown): number | undefined {
  if (good !== revision && revisions.includes(good)) return good;
  return proven.filter((n) => n !== revision && revisions.includes(n) && !alike.includes(n)).at(-1);
}

function remove(a: Asked): string[] {
  const { on, wish, request, c } = a;
  mustNotBeOfSpec(a);
  if (wish.deleteData !== true && wish.deleteNamespace !== true) mustBeThere(a);
  on.phase('activate');
  const title = `${inWords(wish)} is gone${wish.deleteData === true ? ', and its data' : '; its data stay'}`;
  const input = { release: wish.name, namespace: wish.namespace, timeoutMs: usualMs, deleteData: wish.deleteData === true, deleteNamespace: wish.deleteNamespace === true };
  obtainHelm(on, c).step(appRemove, input, { as: keyOf(wish), title });
  return request.app ? [] : [`there is no release ${wish.name} in ${wish.namespace} any more: only what it left is deleted`];
} // prettier-ignore

/** stop, start, restart: also of what the spec's bundles made. */
function power(a: Asked): string[] {
  const { on, wish, request, c } = a;
  mustBeThere(a);
  on.phase('activate');
  const [line, of] = [obtainHelm(on, c), { release: wish.name, namespace: wish.namespace, timeoutMs: waitMs(request) }];
  const as = keyOf(wish);
  if (request.intent.kind === 'stop-app') line.step(appStop, { ...of, at: c.now }, { as, title: `${inWords(wish)} is stopped, and keeps its data` });
  else if (request.intent.kind === 'start-app') line.step(appStart, of, { as, title: `${inWords(wish)} runs again` });
  else line.step(appRestart, { ...of, run: request.id }, { as, title: `every pod of ${inWords(wish)} is made anew` });
  return [];
}

/** What every plan of an application ends with: its images on the nodes, its namespace, and the release. */
function release(a: Asked, what: { content: BundleContent; component: Chart; digest: string; made: Made }): string[] {
  const { on, c, wish } = a;
  const { content, component: of, digest, made } = what;
  const images = content.images.map((i) => entryOf(c.catalog, i.name, i.version));
  const line = obtainHelm(on, c);
  imagesOn(a, line, images);
  on.phase('activate');
  const user = userOf(wish.namespace);
  if (user !== null) {
    const title = `the namespace of ${user} is there, with its limits and fences`;
    line.step(manifestsApply, { bundle: 'apps', objects: namespaceObjects(c, user), gates: [] }, { as: wish.namespace, title });
  }
  // the component as in its bundle, but for its name and place
  const component = { ...of, release: wish.name, namespace: wish.namespace, gates: of.gates.map((g) => movedGate(g, of, wish)) };
  const input = releaseInput({ name: made.bundle, content, values: { [of.name]: made.given }, groups: {}, facts: factsOf(c.whole) }, component, { objects: [], digest });
  line.step(helmRelease, input, { as: keyOf(wish), title: `${inWords(wish)} of ${made.bundle}/${made.component} ${made.version} works` });
  const away = images.length === 0 ? [] : c.absent.filter((name) => a.request.enrolled.has(name));
  return away.length === 0 ? [] : [`${away.join(', ')} cannot be reached and gets no images of it now: its pods there wait until \`strata apply\` brings them`];
} // prettier-ignore

function obtainHelm(on: Steps, c: PlanContext): Line {
  on.phase('download');
  obtain(on, entryOf(c.catalog, 'helm'), c);
  return on.line(null, ...obtaining(['helm']));
}
/** Each node has them before a pod starts. */
function imagesOn({ on, c, d, wish }: Asked, line: Line, images: readonly CatalogEntry[]): void {
  if (images.length === 0) return;
  if (!d.ownRuntime)
    throw new PlanRefused('k3s.bundles', 'applications with images on K3s are not supported yet: they cannot be brought into its own container runtime', 'set spec.distribution.kind: kubernetes'); // prettier-ignore
  for (const image of images) obtain(on, image, c);
  on.phase('prepare');
  const names = images.map((i) => i.name);
  for (const n of c.nodes) {
    const node = on.line(n.name);
    fetch(node, keyOf(wish), names);
    const place = n.runtime === 'own' ? {} : { place: n.runtime };
    node.step(nativeTasks.imagesImport, { images: names.map(artifact), ...place }, { as: keyOf(wish), title: `the images of ${inWords(wish)} are in the container runtime` });
    line.after(node);
  }
} // prettier-ignore

/** A gate about what the component itself makes, by its namespace and the name of its release, is about what it makes here. */
function movedGate(gate: Gate, of: Chart, { namespace, name }: AppWish): Gate {
  const [[kind, value]] = Object.entries(gate) as [[string, Record<string, unknown> | string]];
  if (typeof value === 'string' || value['namespace'] !== of.namespace) return gate;
  const key = kind === 'http' ? 'service' : 'name';
  return { [kind]: { ...value, namespace, ...(value[key] === releaseOf(of) ? { [key]: name } : {}) } } as Gate;
}

function componentOf({ request }: Asked, bundle: string, name: string): { content: BundleContent; component: Chart; digest: string } {
  const content = request.bundles[bundle];
  const names = Object.keys(request.bundles).join(', ');
  if (!content) throw new PlanRefused('unknown-bundle', `there is no bundle "${bundle}"`, names === '' ? 'the control server has no bundles: give it one with `strata bundle push`' : `take one of these: ${names}; strata app list --available`); // prettier-ignore
  if (content.broken !== undefined) throw new PlanRefused('bundle.invalid', `the bundle "${bundle}" cannot be used: ${content.broken}`, 'correct the file at that place; `strata bundle lint` names all there is'); // prettier-ignore
  const apps = content.components.filter((m) => m.component.kind === 'application');
  const found = apps.find((m) => m.component.name === name);
  if (found && isChart(found.component)) return { content, component: found.component, digest: found.digest ?? '' };
  if (apps.length === 0)
    throw new PlanRefused('app.unknown', `the bundle "${bundle}" has no applications`, 'take one of another bundle: strata app list --available');
  throw new PlanRefused('app.unknown', `the bundle "${bundle}" has no application "${name}"`, `take one of these: ${apps.map((m) => `${bundle}/${m.component.name}`).join(', ')}`); // prettier-ignore
}
function mustBeThere({ request, wish }: Asked): NonNullable<PlanRequest['app']> {
  if (request.app) return request.app;
  throw new PlanRefused('app.absent', `there is no application ${wish.name} in ${wish.namespace}`, 'see which there are: strata app list');
}
/** What the spec says, an apply would make again. */
function mustNotBeOfSpec({ c, wish }: Asked): void {
  const bundle = c.bundles.find((b) =>
    b.content.components.some(({ component: m }) => isChart(m) && releaseOf(m) === wish.name && m.namespace === wish.namespace),
  );
  if (bundle)
    throw new PlanRefused('app.of-spec', `${inWords(wish)} is of the bundle "${bundle.name}" in the cluster's spec, which the next apply would hold against this`, 'change the spec (its values, or leave the bundle out) and apply it; stop, start, restart and logs work as they are'); // prettier-ignore
}
