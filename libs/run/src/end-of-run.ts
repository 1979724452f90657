import type { Plan, RunResult, Step } from '@strata/model';
import type { Standing } from './assess';
import { isInFlight } from './fold';
import { isToUndo } from './unwind';
import type { RunView } from './view';

const shown = 5;
const list = (names: readonly string[]): string =>
  names.length <= shown ? names.join(', ') : `${names.slice(0, shown).join(', ')} and ${names.length - shown} more`;

/** How a run ends in which nothing can move any more, and why, in words. */
export function endOf(plan: Plan, view: RunView, standings: ReadonlyMap<string, Standing>): { kind: 'end'; result: RunResult; because: string } {
  const end = (result: RunResult, because: string): { kind: 'end'; result: RunResult; because: string } => ({ kind: 'end', result, because });
  if (view.unwinding && !view.cancelled) return unwound();
  const wanted = plan.steps.filter((s) => standings.get(s.key)?.kind !== 'phase');
  const left = wanted.filter((s) => standings.get(s.key)?.kind !== 'done');
  if (view.cancelled && left.length > 0) return end('cancelled', cancelledWords(view));
  const changed = [...view.steps.values()].filter((v) => v.changed).length;
  if (left.length === 0) {
    const words = `${wanted.length} steps done: ${changed} changed something, ${wanted.length - changed} found it as it should be`;
    if (plan.absent.length === 0) return end('done', words);
    return end('degraded', `${list(plan.absent)} could not be reached when the plan was made; ${words}`);
  }
  const because = leftWords(left, view, standings);
  const refused = left.some((s) => s.phase === 'precheck' && view.steps.get(s.key)?.outcome === 'refused');
  if (refused && wanted.every((s) => s.phase === 'precheck')) return end('refused', because); // of a look nothing can be done in part
  if (isPartial(plan, wanted, left)) return end('degraded', because);
  if (refused && changed === 0 && !left.some((s) => view.steps.get(s.key)?.outcome === 'lost')) return end('refused', because);
  return end('failed', because);

  function unwound(): { kind: 'end'; result: RunResult; because: string } {
    const not = [...view.steps.values()].filter((v) => v.state !== 'undone' && (isToUndo(v) || isInFlight(v))).map((v) => v.key);
    if (not.length === 0) return end('unwound', view.because);
    const reasons = not.map((key) => view.steps.get(key)?.result?.failure?.message).filter((m) => m !== undefined);
    return end('failed', `${view.because}, but not all of it: ${list(not)}${reasons.length === 0 ? '' : ` (${reasons[0]})`}`);
  }
}

function cancelledWords(view: RunView): string {
  const changed = [...view.steps.values()].filter((v) => v.changed && v.state !== 'undone').map((v) => v.key);
  return `${view.because}; ${changed.length === 0 ? 'nothing was changed' : `changed and left as it is: ${list(changed)}`}`;
}

/** Partial success: only steps of workers are left, and at least one other node has all of its steps done. */
function isPartial(plan: Plan, wanted: readonly Step[], left: readonly Step[]): boolean {
  const workers = new Set(plan.nodes.filter((n) => n.role === 'worker').map((n) => n.name));
  if (!left.every((s) => s.node !== null && workers.has(s.node))) return false;
  const behind = new Set(left.map((s) => s.node));
  return wanted.some((s) => s.node !== null && !behind.has(s.node));
}

/** Which nodes and steps are behind, each with its root cause. */
function leftWords(left: readonly Step[], view: RunView, standings: ReadonlyMap<string, Standing>): string {
  const failed = left.filter((s) => standings.get(s.key)?.kind === 'failed');
  const absent = new Set(left.flatMap((s) => { const there = standings.get(s.key); return there?.kind === 'absent' ? [there.node] : []; })); // prettier-ignore
  const words = failed.slice(0, shown).map((s) => {
    const v = view.steps.get(s.key);
    return `${s.key} ${v?.outcome === 'refused' ? 'was refused' : v?.outcome === 'lost' ? 'was lost' : 'failed'}: ${v?.result?.failure?.message ?? 'no reason was given'}`;
  });
  if (failed.length > shown) words.push(`${failed.length - shown} more failed`);
  for (const node of absent) words.push(`${node} is absent: it is finished by itself when it comes back`);
  const held = left.length - failed.length - left.filter((s) => standings.get(s.key)?.kind === 'absent').length;
  if (held > 0) words.push(`${held} ${held === 1 ? 'step waits' : 'steps wait'} for that`);
  return words.join('; ');
}
