import type { Plan, Running, Wait } from '@strata/model';
import { span } from './explain-wait';
import { isInFlight } from './fold';
import type { RunView } from './view';

/** The steps that are under way, in the plan's order. One whose node is silent is not among them: it waits, and `explainWaits` says for what. */
export function underWay(plan: Plan, view: RunView): Running[] {
  return plan.steps.flatMap((step) => {
    const v = view.steps.get(step.key);
    if (v === undefined || !isInFlight(v) || v.waitingFor !== null) return [];
    return [{ step: step.key, title: step.title, since: v.startedAt, fraction: v.progress?.fraction ?? null, note: v.progress?.note ?? '' }];
  });
}

/** For each node (and the cluster's own steps) the first wait, with how many more steps stand behind it: the rest waits for the same. */
export function firstWaits(waits: readonly Wait[]): { wait: Wait; more: number }[] {
  const byNode = new Map<string, { wait: Wait; more: number }>();
  for (const wait of waits) {
    const node = wait.step.split('/')[0] ?? '';
    const first = byNode.get(node);
    if (first === undefined) byNode.set(node, { wait, more: 0 });
    else first.more += 1;
  }
  return [...byNode.values()];
}

/** `n2/x waits for n1/y, which runs since 3 s, since 8 s; ended by: n1/y done; 4 more steps after it`. */
export function waitText({ wait: w, more }: { wait: Wait; more: number }, now: number): string {
  const since = w.since === null ? '' : `, since ${span(now - w.since)}`;
  const behind = more === 0 ? '' : `; ${more} more ${more === 1 ? 'step' : 'steps'} after it`;
  return `${w.step} waits for ${w.for}${since}; ended by: ${w.endedBy}${behind}`;
}

/** `n2/packages.install runs since 40 s, 45 %: Unpacking gcc`. */
export function runningText(r: Running, now: number): string {
  if (r.since === null) return `${r.step} is on its way`;
  const far = [r.fraction === null ? '' : `${Math.floor(r.fraction * 100)} %`, r.note].filter(Boolean).join(': ');
  return `${r.step} runs since ${span(now - r.since)}${far === '' ? '' : `, ${far}`}`;
}
