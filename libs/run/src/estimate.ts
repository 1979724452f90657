import type { Plan, Step } from '@strata/model';
import type { Standing } from './assess';
import { mayMove } from './assess';
import { typicalMs, usualMs } from './durations';
import { graphOf } from './graph';
import type { RunView, StepView } from './view';

export interface Estimate {
  /** What is left of the run (ms): the longest chain of needs, pools not reckoned with. */
  remainingMs: number;
  /** What is left until a node's last step is done (ms); the steps of the whole cluster are under `cluster`. */
  byNode: ReadonlyMap<string, number>;
  /** The chain that takes longest, first to last. */
  critical: readonly string[];
}

/**
 * How long a run still takes, from what each task typically takes (by task name, ms) and from what is running now.
 * Steps that cannot move without help count nothing. `standings` as `decide` gave them; without them every step counts.
 */
export function estimate(
  plan: Plan,
  view: RunView,
  at: { now: number; typical?: Readonly<Record<string, number>>; standings?: ReadonlyMap<string, Standing> },
): Estimate {
  const graph = graphOf(plan);
  const typical = { ...typicalMs, ...at.typical };
  const ends = new Map<string, { at: number; through: string | null }>();
  const byNode = new Map<string, number>();
  let last: string | null = null;
  for (const key of graph.sorted) {
    const step = graph.steps.get(key)!;
    let through: string | null = null;
    for (const need of step.needs) if (endOf(need) > (through === null ? 0 : endOf(through))) through = need;
    const left = leftOf(step);
    const end = left === 0 ? 0 : left + (through === null ? 0 : endOf(through));
    ends.set(key, { at: end, through });
    const node = step.node ?? 'cluster';
    byNode.set(node, Math.max(byNode.get(node) ?? 0, end));
    if (end > (last === null ? 0 : endOf(last))) last = key;
  }
  const critical: string[] = [];
  for (let key = last; key !== null; key = ends.get(key)!.through) critical.unshift(key);
  return { remainingMs: last === null ? 0 : endOf(last), byNode, critical };

  function endOf(key: string): number {
    return ends.get(key)?.at ?? 0;
  }
  function leftOf(step: Step): number {
    const v = view.steps.get(step.key)!;
    const standing = at.standings?.get(step.key);
    if (v.state === 'done' || v.state === 'undone' || (standing !== undefined && !mayMove(standing))) return 0;
    return remainingOf(v, { usual: typical[step.task] ?? usualMs, now: at.now });
  }
}

const leastMs = 200;
/** What is left of a step: by its own progress once that says enough, else by what is usual; a step over its time is always nearly done. */
function remainingOf(v: StepView, at: { usual: number; now: number }): number {
  if (v.state !== 'running' && v.state !== 'undoing') return at.usual;
  const elapsed = Math.max(0, at.now - (v.startedAt ?? at.now));
  const fraction = v.progress?.fraction ?? 0;
  if (fraction > 0.1 && elapsed > 1_000) return Math.max(leastMs, (elapsed * (1 - fraction)) / fraction);
  return Math.max(leastMs, at.usual / 10, at.usual - elapsed);
}
