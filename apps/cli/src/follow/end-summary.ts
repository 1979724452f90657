import type { Finding } from '@strata/model';
import { type RunView, span, summarize } from '@strata/run';

/** What is told below the last line of a run that is over: what was found on all nodes, what failed and what to do, and where the time went. */
export function endSummary(view: RunView): string[] {
  const s = summarize(view, view.endedAt ?? view.startedAt ?? 0);
  const lines: string[] = [];
  const findings = findingsOf(view);
  if (findings.length > 0) lines.push('', 'Findings', ...findings.flatMap(findingLines));
  const said = (code: string): string[] =>
    [...view.steps.values()].flatMap((v) => (v.result?.findings ?? []).filter((f) => f.code === code).map((f) => `  ${f.message}`));
  const switched = said('storage.switched');
  if (switched.length > 0) lines.push('', 'The metadata', ...switched);
  const pairs = said('storage.pair');
  if (pairs.length > 0) lines.push('', 'Latency of the shared view', ...pairs.sort());
  const failed = [...view.steps.values()].filter((v) => v.state === 'failed' || v.state === 'undo-failed');
  if (failed.length > 0) lines.push('', 'What failed');
  for (const v of failed) {
    const failure = v.result?.failure;
    lines.push(`  ${v.key}: ${failure?.message ?? v.outcome ?? 'failed'}`, ...(failure?.cause ?? []).map((c) => `    because: ${c}`));
    if (failure?.remedy) lines.push(`    what to do: ${failure.remedy}`);
  }
  const left = view.plan?.kind === 'uninstall' ? view.plan.skipped : [];
  if (left.length > 0) lines.push('', 'Left as it is', ...left.map((l) => `  ${l.what}: ${l.because}`));
  if (view.result === 'planned' || s.total === 0) return lines;
  lines.push(
    '',
    `${s.done} of ${s.total} steps done, ${s.changed} changed${s.failed > 0 ? `, ${s.failed} failed` : ''}${s.waiting > 0 ? `, ${s.waiting} not begun` : ''}; ${span(s.elapsedMs)} in all`,
  );
  if (s.byPhase.length > 0) lines.push(`  ${s.byPhase.map((p) => `${p.phase} ${span(p.ms)}`).join(', ')} (phases overlap)`);
  if (failed.length > 0) lines.push('', `When that is mended: strata runs resume ${view.runId}; the log of a step: strata logs ${view.runId} STEP`);
  return lines;
}

/** Of first contact and of every step, each once, worst first. */
export function findingsOf(view: RunView): Finding[] {
  const ofSteps = [...view.steps.values()].flatMap((v) => (v.result?.findings ?? []).map((f) => ({ ...f, node: f.node ?? v.key.split('/')[0] })));
  const order = { blocker: 0, warning: 1, info: 2 };
  const seen = new Set<string>();
  return [...view.findings, ...ofSteps]
    .filter((f) => f.severity !== 'info')
    .filter((f) => {
      const key = `${f.node ?? ''} ${f.code} ${f.message}`;
      return !seen.has(key) && seen.add(key);
    })
    .sort((a, b) => order[a.severity] - order[b.severity] || (a.node ?? '').localeCompare(b.node ?? ''));
}
export const findingLines = (f: Finding): string[] => [
  `  ${f.severity}${f.node ? ` on ${f.node}` : ''}: ${f.message} [${f.code}]`,
  ...(f.remedy ? [`    what to do: ${f.remedy}`] : []),
];
