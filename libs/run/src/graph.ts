import type { Plan, Step } from '@strata/model';
import { phases } from '@strata/model';

/** A plan, indexed. Built once a plan. */
export interface Graph {
  steps: ReadonlyMap<string, Step>;
  /** Who needs a step: key -> keys, in the plan's order. */
  dependents: ReadonlyMap<string, readonly string[]>;
  /** Keys so that each comes after all it needs. */
  sorted: readonly string[];
  /** How many steps wait for a step one behind the other: the longest chain that begins after it. */
  behind: ReadonlyMap<string, number>;
}

const graphs = new WeakMap<Plan, Graph>();

/** @throws Error if a step needs one that the plan lacks, or if needs go in a circle. */
export function graphOf(plan: Plan): Graph {
  let graph = graphs.get(plan);
  if (graph === undefined) graphs.set(plan, (graph = build(plan)));
  return graph;
}

function build(plan: Plan): Graph {
  const steps = new Map(plan.steps.map((s) => [s.key, s]));
  const dependents = new Map<string, string[]>(plan.steps.map((s) => [s.key, []]));
  const missing = new Map<string, number>();
  for (const step of plan.steps) {
    const needs = new Set(step.needs);
    missing.set(step.key, needs.size);
    for (const need of needs) {
      const list = dependents.get(need);
      if (list === undefined) throw new Error(`plan ${plan.id}: step ${step.key} needs ${need}, which is not in the plan`);
      list.push(step.key);
    }
  }
  const sorted = plan.steps.filter((s) => missing.get(s.key) === 0).map((s) => s.key);
  for (let i = 0; i < sorted.length; i++)
    for (const key of dependents.get(sorted[i]!) ?? []) {
      const left = missing.get(key)! - 1;
      missing.set(key, left);
      if (left === 0) sorted.push(key);
    }
  if (sorted.length < plan.steps.length) {
    const circle = plan.steps.filter((s) => missing.get(s.key)! > 0).map((s) => s.key);
    throw new Error(`plan ${plan.id}: these steps need each other in a circle: ${circle.join(', ')}`);
  }
  const behind = new Map<string, number>();
  for (const key of sorted.toReversed()) behind.set(key, Math.max(0, ...(dependents.get(key) ?? []).map((k) => 1 + (behind.get(k) ?? 0))));
  return { steps, dependents, sorted, behind };
}

/** Whether a step belongs to a phase after the last one that may be released. */
export const isBeyond = (step: Step, until: string | undefined): boolean =>
  until !== undefined && phases.indexOf(step.phase) > (phases as readonly string[]).indexOf(until);

/** Whether a plan takes back what an install made: its failures are never unwound, and its server steps also run for nodes that are gone. */
export const takesBack = (plan: Plan): boolean => plan.kind === 'uninstall' || plan.kind === 'remove-node';
