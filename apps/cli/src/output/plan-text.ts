import type { Step } from '@strata/model';
import { type Look, lookOf, type RunView } from '@strata/run';
import { findingLines, findingsOf } from '../follow/end-summary';

/** A plan for people: by node and phase what would be done, what is left out and why, and what was found. */
export function planText(view: RunView): string {
  const { plan } = view;
  if (plan === null) return view.because;
  const lines = [
    `Plan: ${plan.kind} with ${plan.distribution.kind} ${plan.distribution.version}; ${plan.steps.length} steps on ${plan.nodes.length} node${plan.nodes.length === 1 ? '' : 's'}`,
  ];
  const looks = looksOf(view);
  for (const node of [...plan.nodes, null]) {
    const steps = plan.steps.filter((s) => s.node === (node?.name ?? null));
    if (steps.length === 0) continue;
    lines.push('', node === null ? 'the whole cluster' : `${node.name} (${node.role}${node.nodeId === null ? ', new' : ''})`, ...ofPhases(steps, looks));
  }
  if (plan.skipped.length > 0) lines.push('', 'Left as it is', ...plan.skipped.map((s) => `  ${s.what}: ${s.because}`));
  if (plan.warnings.length > 0) lines.push('', 'Warnings', ...plan.warnings.map((w) => `  ${w}`));
  const findings = findingsOf(view);
  if (findings.length > 0) lines.push('', 'Findings', ...findings.flatMap(findingLines));
  return [...lines, '', summary(view, looks)].join('\n');
}

/** What the dry run found of each step of its plan. */
export const looksOf = (view: RunView): Map<string, Look> => {
  const { plan } = view;
  return new Map(plan?.steps.map((step) => [step.key, lookOf(plan, view, step)]));
};
/** Whether an apply would do anything, as far as can be told: a machine that could not be asked is still to be finished. */
export const wouldChange = ({ plan }: RunView, looks: ReadonlyMap<string, Look>): boolean =>
  (plan?.absent.length ?? 0) > 0 || [...looks.values()].some((look) => look.kind !== 'as-it-is');

function summary(view: RunView, looks: ReadonlyMap<string, Look>): string {
  if (!wouldChange(view, looks)) return looks.size === 0 ? 'Nothing to do.' : `Nothing to do: all ${looks.size} steps were looked at, and everything is as it should be.`;
  const absent = view.plan?.absent ?? [];
  const unasked = absent.length === 0 ? '' : ` ${absent.join(', ')} could not be asked.`;
  return `${view.because[0]?.toUpperCase() ?? ''}${view.because.slice(1)}. = is as it should be, + would be done, - taken back, ? cannot be told yet, ! would be refused; strata apply does it.${unasked}`;
} // prettier-ignore

const signs: Record<Look['kind'], string> = { 'as-it-is': '=', 'would-change': '+', unknown: '?', refused: '!' };

function ofPhases(steps: readonly Step[], looks: ReadonlyMap<string, Look>): string[] {
  const lines: string[] = [];
  let phase = '';
  let told = ''; // what cannot be told yet for one reason is said once
  for (const step of steps) {
    const head = step.phase === phase ? '' : step.phase;
    phase = step.phase;
    const look = looks.get(step.key)!;
    const sign = step.action === 'undo' ? '-' : signs[look.kind];
    const because = look.kind === 'as-it-is' || step.action === 'undo' ? '' : look.because;
    const why = because === '' || (look.kind === 'unknown' && because === told) ? '' : `: ${because}`;
    told = because;
    lines.push(`  ${head.padEnd(9)} ${sign} ${step.title}  (${step.key.slice(step.key.indexOf('/') + 1)})${why}`);
  }
  return lines;
}
