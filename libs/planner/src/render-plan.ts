import { isOutputRef, isSecretRef, type Plan, phases, type Step } from '@strata/model';

/** A plan as text for people and for review: by node and phase, without digests and ids. */
export function renderPlan(plan: Plan): string {
  const lines = [`${plan.kind}: ${plan.distribution.kind} ${plan.distribution.version}, ${plan.nodes.map((n) => `${n.name} (${n.role})`).join(', ')}`];
  for (const w of plan.warnings) lines.push(`warning: ${w}`);
  for (const s of plan.skipped) lines.push(`skipped: ${s.what}: ${s.because}`);
  for (const owner of [null, ...new Set(plan.steps.flatMap((s) => s.node ?? []))]) {
    for (const phase of plan.kind === 'uninstall' || plan.kind === 'remove-node' ? [null] : phases) {
      const steps = plan.steps.filter((s) => s.node === owner && (phase === null || s.phase === phase));
      if (steps.length === 0) continue;
      lines.push('', `${owner ?? 'cluster'}${phase === null ? '' : ` · ${phase}`}`);
      for (const s of steps) lines.push(...stepLines(s));
    }
  }
  return `${lines.join('\n')}\n`;
}
function stepLines(s: Step): string[] {
  const name = s.key.slice(s.key.indexOf('/') + 1);
  const marks = [s.action === 'run' ? '' : s.action, s.target === 'server' ? 'server' : '', s.pool === null ? '' : `pool ${s.pool}`].filter(Boolean);
  const head = `  ${name}${marks.length === 0 ? '' : ` [${marks.join(', ')}]`}: ${s.title}`;
  const input = words(s.input);
  return [head, ...(input === '' ? [] : [`      ${input}`]), ...(s.needs.length === 0 ? [] : [`      after ${s.needs.join(', ')}`])];
}

/** An input in short: references by name, digests left out, long lists of objects by their number. */
function words(value: unknown): string {
  const text = typeof value === 'object' && value !== null ? Object.entries(value).map(([k, v]) => `${k}=${short(v)}`) : [];
  return text.join(' ');
}
function short(value: unknown): string {
  if (isOutputRef(value)) return `<${value.$output.replace('cluster/artifact.obtain@', '')}${value.path === 'artifact' ? '' : ` ${value.path}`}>`;
  if (isSecretRef(value)) return `<secret ${value.$secret}>`;
  if (Array.isArray(value)) return `[${value.map(short).join(' ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? '';
  const object = value as Record<string, unknown>;
  if (typeof object.kind === 'string' && typeof object.apiVersion === 'string') {
    const name = (object.metadata as { name?: string } | undefined)?.name ?? String(object.name);
    return `${object.kind}/${name}`;
  }
  if ('blob' in object || 'blobs' in object) return `<${String(object.name)} ${String(object.version)}>`;
  return `{${Object.entries(object).map(([k, v]) => `${k}=${short(v)}`).join(' ')}}`; // prettier-ignore
}
