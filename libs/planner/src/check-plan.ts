import { type Catalog, isOutputRef, Plan, type Step } from '@strata/model';
import type { Task } from '@strata/tasks';
import { withoutReferences } from './samples';

/** A plan that must never be given to anybody: a fault of the planner, or a plan of another version. */
export class PlanFaulty extends Error {
  constructor(readonly faults: readonly string[]) {
    super(`the plan is faulty: ${faults.join('; ')}`);
    this.name = 'PlanFaulty';
  }
}

/** @throws PlanFaulty with all faults: cycles, dangling references, unknown nodes and tasks, other versions, inputs that do not fit. */
export function checkPlan(plan: Plan, { tasks, catalog }: { tasks: (name: string) => Task; catalog: Catalog }): void {
  const steps = new Map(plan.steps.map((s) => [s.key, s]));
  const nodes = new Set([...plan.nodes.map((n) => n.name), ...plan.absent]);
  const faults: string[] = [];
  if (!Plan.safeParse(plan).success) faults.push(String(Plan.safeParse(plan).error?.message));
  plan.steps.forEach((s, i) => {
    if (plan.steps.findIndex((o) => o.key === s.key) !== i) faults.push(`two steps are named ${s.key}`);
    for (const need of s.needs) if (!steps.has(need)) faults.push(`${s.key} needs ${need}, which is not in the plan`);
    if (s.node !== null && !nodes.has(s.node)) faults.push(`${s.key} is for ${s.node}, which is no node of the plan`);
    faults.push(...taskFaults(s, tasks, catalog), ...referenceFaults(s, steps));
  });
  const cycle = cycleOf(steps);
  if (cycle) faults.push(`these wait for each other: ${cycle.join(' -> ')}`);
  if (faults.length > 0) throw new PlanFaulty(faults);
}

function taskFaults(s: Step, tasks: (name: string) => Task, catalog: Catalog): string[] {
  let task: Task;
  try {
    task = tasks(s.task);
  } catch {
    return [`${s.key}: no task is named ${s.task}`];
  }
  if (task.version !== s.version) return [`${s.key} wants version ${s.version} of ${s.task}, this is ${task.version}`];
  if (task.on !== s.target) return [`${s.key} runs on the ${s.target}, its task on the ${task.on}`];
  const parsed = task.input.safeParse(withoutReferences(s.input, catalog));
  return parsed.success ? [] : [`${s.key}: ${parsed.error.issues.map((i) => `${i.path.join('.')}: ${i.message}`).join(', ')}`];
}

/** A value that is used must come from a step that surely ended before. */
function referenceFaults(s: Step, steps: ReadonlyMap<string, Step>): string[] {
  const before = new Set<string>();
  const walk = (key: string): void => {
    for (const need of steps.get(key)?.needs ?? []) if (!before.has(need) && before.add(need)) walk(need);
  };
  walk(s.key);
  const secret = (ref: string): string | null => /^output:(.+)#[^#]+$/.exec(ref)?.[1] ?? null;
  return referencesIn(s.input, secret)
    .filter((key) => !before.has(key))
    .map((key) => `${s.key} uses what ${key} gives, without waiting for it`);
}
function referencesIn(value: unknown, secret: (ref: string) => string | null): string[] {
  if (isOutputRef(value)) return [value.$output];
  if (typeof value !== 'object' || value === null) return [];
  if ('$secret' in value && typeof value.$secret === 'string') return [secret(value.$secret) ?? []].flat();
  return Object.values(value).flatMap((v) => referencesIn(v, secret));
}

/** Steps that wait for each other, or null. */
function cycleOf(steps: ReadonlyMap<string, Step>): string[] | null {
  const state = new Map<string, 'open' | 'done'>();
  const path: string[] = [];
  const visit = (key: string): string[] | null => {
    if (state.get(key) === 'done') return null;
    if (state.get(key) === 'open') return [...path.slice(path.indexOf(key)), key];
    state.set(key, 'open');
    path.push(key);
    for (const need of steps.get(key)?.needs ?? []) {
      const found = visit(need);
      if (found) return found;
    }
    path.pop();
    state.set(key, 'done');
    return null;
  };
  for (const key of steps.keys()) {
    const found = visit(key);
    if (found) return found;
  }
  return null;
}
