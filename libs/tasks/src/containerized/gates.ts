import type { Gate } from '@strata/model';
import type { Cluster, KubeObject, ObjectRef } from '../ports/cluster';

/** What a gate is about, and the words for what is missing; null while it is open. */
export interface ClosedGate {
  words: string;
  /** Whose pods may tell why. */
  workload: ObjectRef | null;
  /** No waiting opens it any more. */
  final: boolean;
}

/** The first gate that is closed, with what is missing, or null. */
export async function closedGate(cluster: Cluster, gates: readonly Gate[]): Promise<ClosedGate | null> {
  for (const gate of gates) {
    const words = await missing(cluster, gate);
    if (words !== null) return { words, workload: workloadOf(gate), final: 'complete' in gate && words.includes(jobFailed) };
  }
  return null;
}
function workloadOf(gate: Gate): ObjectRef | null {
  if ('rollout' in gate) return gate.rollout;
  return 'complete' in gate ? { apiVersion: 'batch/v1', kind: 'Job', ...gate.complete } : null;
}

async function missing(cluster: Cluster, gate: Gate): Promise<string | null> {
  if ('rollout' in gate) {
    const { complete, message } = await cluster.rollout(gate.rollout);
    return complete ? null : `${gate.rollout.kind} ${gate.rollout.name}: ${message}`;
  }
  if ('established' in gate) return established(cluster, gate.established);
  if ('complete' in gate) return jobComplete(cluster, gate.complete);
  if ('resource' in gate) return resourceIs(cluster, gate.resource);
  return answers(cluster, gate.http);
}

async function established(cluster: Cluster, name: string): Promise<string | null> {
  const words = `the definition ${name}`;
  const found = await cluster.get({ apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition', name });
  if (!found) return `${words} is not there yet`;
  const refused = conditionOf(found, 'NamesAccepted');
  if (refused?.status === 'False') return `${words} is refused: ${refused.message ?? ''}`;
  return conditionOf(found, 'Established')?.status === 'True' ? null : `${words} is not served yet`;
}
const jobFailed = ' failed: ';
async function jobComplete(cluster: Cluster, { name, namespace }: { name: string; namespace: string }): Promise<string | null> {
  const found = await cluster.get({ apiVersion: 'batch/v1', kind: 'Job', name, namespace });
  if (!found) return `Job ${name} is not there yet`;
  const failed = conditionOf(found, 'Failed');
  if (failed?.status === 'True') return `Job ${name}${jobFailed}${failed.message ?? failed.reason ?? ''}`;
  return conditionOf(found, 'Complete')?.status === 'True' ? null : `Job ${name} is not done yet`;
}
async function resourceIs(cluster: Cluster, { condition, field = '', is, ...ref }: Extract<Gate, { resource: unknown }>['resource']): Promise<string | null> {
  const found = await cluster.get(ref);
  const words = `${ref.kind} ${ref.name}`;
  if (!found) return `${words} is not there yet`;
  const seen = condition === undefined ? fieldOf(found, field) : conditionOf(found, condition)?.status;
  if (seen !== undefined && seen !== null && text(seen) === is) return null;
  const why = condition === undefined ? undefined : conditionOf(found, condition)?.message;
  return `${words}: ${condition ?? field} is ${seen === undefined || seen === null ? 'not there yet' : text(seen)}, not ${is}${why === undefined ? '' : ` (${why})`}`;
}
async function answers(cluster: Cluster, { status, contains, ...of }: Extract<Gate, { http: unknown }>['http']): Promise<string | null> {
  const words = `http://${of.service}.${of.namespace}:${of.port}${of.path}`;
  const answer = await cluster.http(of);
  if (!answer) return `${words}: nothing answers behind it`;
  if (answer.status !== status) return `${words} answered ${answer.status}, not ${status}`;
  return contains === undefined || answer.body.includes(contains) ? null : `${words} answered something without "${contains}"`;
}

interface Condition {
  type?: string;
  status?: string;
  reason?: string;
  message?: string;
  lastTransitionTime?: string;
}
/** The condition of a type in an object's status. */
export function conditionOf(object: KubeObject, type: string): Condition | undefined {
  const all = fieldOf(object, 'status.conditions');
  return Array.isArray(all) ? (all as Condition[]).find((c) => c.type === type) : undefined;
}
/** The value at `a.b.0`, of own fields alone; undefined where there is none. */
export function fieldOf(object: unknown, place: string): unknown {
  return place.split('.').reduce<unknown>((at, key) => (typeof at === 'object' && at !== null && Object.hasOwn(at, key) ? (at as Record<string, unknown>)[key] : undefined), object);
} // prettier-ignore
const text = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));
