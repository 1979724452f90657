import type { Step } from '@strata/model';
import type { RunView } from '@strata/run';
import { findingLines, findingsOf } from '../follow/end-summary';

/** A plan for people: by node and phase what would be done, what is left out and why, and what was found. */
export function planText(view: RunView): string {
  const { plan } = view;
  if (plan === null) return view.because;
  const lines = [
    `Plan: ${plan.kind} with ${plan.distribution.kind} ${plan.distribution.version}; ${plan.steps.length} steps on ${plan.nodes.length} node${plan.nodes.length === 1 ? '' : 's'}`,
  ];
  for (const node of [...plan.nodes, null]) {
    const steps = plan.steps.filter((s) => s.node === (node?.name ?? null));
    if (steps.length === 0) continue;
    lines.push('', node === null ? 'the whole cluster' : `${node.name} (${node.role}${node.nodeId === null ? ', new' : ''})`, ...ofPhases(steps));
  }
  if (plan.skipped.length > 0) lines.push('', 'Left as it is', ...plan.skipped.map((s) => `  ${s.what}: ${s.because}`));
  if (plan.warnings.length > 0) lines.push('', 'Warnings', ...plan.warnings.map((w) => `  ${w}`));
  const findings = findingsOf(view);
  if (findings.length > 0) lines.push('', 'Findings', ...findings.flatMap(findingLines));
  return [
    ...lines,
    '',
    plan.steps.length === 0
      ? 'Nothing to do.'
      : 'Nothing was changed. Each step looks first and changes only what is not as it should be: strata apply does it.',
  ].join('\n');
}

function ofPhases(steps: readonly Step[]): string[] {
  const lines: string[] = [];
  let phase = '';
  for (const step of steps) {
    const head = step.phase === phase ? '' : step.phase;
    phase = step.phase;
    const sign = step.action === 'undo' ? '-' : step.action === 'check' ? '?' : '+';
    lines.push(`  ${head.padEnd(9)} ${sign} ${step.title}  (${step.key.slice(step.key.indexOf('/') + 1)})`);
  }
  return lines;
}
