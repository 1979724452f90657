import type { Phase } from '@strata/model';
import { phases } from '@strata/model';
import { isInFlight } from './fold';
import type { RunView } from './view';

export interface Summary {
  total: number;
  done: number;
  /** Steps of which this run changed something. */
  changed: number;
  failed: number;
  running: number;
  waiting: number;
  undone: number;
  /** From the request to the end, or to `now` (ms). */
  elapsedMs: number;
  /** Wall time in which at least one step of the phase was running (ms); phases without one are left out. */
  byPhase: { phase: Phase; ms: number }[];
  /** Likewise for each node; the whole cluster's steps under `cluster`. In the plan's order. */
  byNode: { node: string; ms: number }[];
}

/** Counts, and where the time went. */
export function summarize(view: RunView, now: number): Summary {
  const phaseSpans = new Map<string, [number, number][]>();
  const nodeSpans = new Map<string, [number, number][]>();
  const counts = { done: 0, changed: 0, failed: 0, running: 0, waiting: 0, undone: 0 };
  for (const step of view.plan?.steps ?? []) {
    const v = view.steps.get(step.key)!;
    if (v.changed && v.state !== 'undone') counts.changed += 1;
    if (v.state === 'done') counts.done += 1;
    else if (v.state === 'failed' || v.state === 'undo-failed') counts.failed += 1;
    else if (v.state === 'undone') counts.undone += 1;
    else if (isInFlight(v)) counts.running += 1;
    else counts.waiting += 1;
    if (v.startedAt === null) continue;
    const from = v.startedAt;
    const to = v.endedAt ?? view.endedAt ?? now;
    push(phaseSpans, step.phase, [from, to]);
    push(nodeSpans, step.node ?? 'cluster', [from, to]);
  }
  return {
    total: view.plan?.steps.length ?? 0,
    ...counts,
    elapsedMs: view.startedAt === null ? 0 : (view.endedAt ?? now) - view.startedAt,
    byPhase: phases.flatMap((phase) => (phaseSpans.has(phase) ? [{ phase, ms: covered(phaseSpans.get(phase)!) }] : [])),
    byNode: [...nodeSpans].map(([node, spans]) => ({ node, ms: covered(spans) })),
  };
}
const push = (map: Map<string, [number, number][]>, key: string, value: [number, number]): void => {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
};
/** The length of a union of spans. */
function covered(spans: [number, number][]): number {
  let total = 0;
  let until = -Infinity;
  for (const [from, to] of [...spans].sort((a, b) => a[0] - b[0])) {
    if (to <= until) continue;
    total += to - Math.max(from, until);
    until = to;
  }
  return total;
}
