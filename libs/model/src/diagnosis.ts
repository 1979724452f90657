import { z } from 'zod';

/**
 * Every check of `strata doctor`, in the order in which one breaks the next: a full disk before the runtime that it stops, the runtime before kubelet,
 * kubelet before the node's condition. So the first broken one is the root cause, and what follows from it stands behind it.
 */
export const checkOrder = [
  // the control host
  'control.home', 'control.settings', 'control.disk', 'control.secrets', 'control.supervisor', 'control.ports', 'control.postgres', 'control.redis', 'control.server', 'control.certificate',
  // the machine of a node
  'node.reach', 'node.disk', 'node.memory', 'node.clock', 'node.agent', 'node.session', 'node.look',
  // what runs there
  'node.names', 'node.containerd', 'node.credentials', 'node.manifests', 'node.kubelet', 'node.etcd', 'node.apiserver', 'node.api', 'node.files',
  // what Kubernetes says
  'cluster.api', 'cluster.node', 'cluster.pods', 'cluster.drift',
] as const; // prettier-ignore
export type CheckCode = (typeof checkOrder)[number];

/** One thing that was looked at. `unknown`: it could not be looked at, and `cause` says why. */
export const Check = z
  .object({
    code: z.enum(checkOrder),
    where: z.string(), // a node's name, `control host` or `cluster`
    title: z.string(), // what ought to be so: "kubelet runs"
    verdict: z.enum(['ok', 'warning', 'broken', 'unknown']),
    cause: z.string().default(''), // what is so instead
    remedy: z.string().default(''),
    evidence: z.array(z.string()).default([]), // last words of a log, and the like
  })
  .meta({ id: 'Check' });
export type Check = z.infer<typeof Check>;
/** What a look at a cluster found; `checks` with the root cause first. */
export const Diagnosis = z.object({ checks: z.array(Check) }).meta({ id: 'Diagnosis' });
export type Diagnosis = z.infer<typeof Diagnosis>;

export const controlHost = 'control host';
const verdicts = ['broken', 'unknown', 'warning', 'ok'] as const;
const place = (c: Check): number => checkOrder.indexOf(c.code);

/** The checks with what is broken in front, its root cause first; equal ones keep the order in which they came. */
export const rootCauseFirst = (checks: readonly Check[]): Check[] =>
  [...checks].sort((a, b) => verdicts.indexOf(a.verdict) - verdicts.indexOf(b.verdict) || place(a) - place(b));
/** Whether all that was looked at is well. What could not be looked at is not well. */
export const isHealthy = (checks: readonly Check[]): boolean => checks.length > 0 && checks.every((c) => c.verdict === 'ok' || c.verdict === 'warning');

/** A diagnosis for people: the root cause with its remedy first, what follows from it behind it, and how much is well. */
export function diagnosisText(checks: readonly Check[], options: { all?: boolean } = {}): string {
  const sorted = rootCauseFirst(checks);
  const shown = sorted.filter((c) => c.verdict !== 'ok');
  const well = sorted.filter((c) => c.verdict === 'ok');
  const words = { broken: 'BROKEN', unknown: 'not known', warning: 'warning', ok: 'ok' };
  const lines = shown.flatMap((c) => [
    `${words[c.verdict]}  ${c.where}: ${c.title}: ${c.cause}`,
    ...c.evidence.map((line) => `    | ${line}`),
    ...(c.remedy === '' ? [] : [`    what to do: ${c.remedy}`]),
  ]);
  if (options.all === true) lines.push(...well.map((c) => `ok  ${c.where}: ${c.title}${c.cause === '' ? '' : ` (${c.cause})`}`));
  const places = [...new Set(sorted.map((c) => c.where))].join(', ');
  const count = `${well.length} of ${sorted.length} checks are well (${places})`;
  if (isHealthy(checks)) return [...lines, `healthy: ${count}`].join('\n');
  const first = shown[0];
  const head = first?.verdict === 'broken' ? `${first.where} is broken; the first finding is the one to mend first` : 'something could not be looked at';
  return [head, '', ...lines, '', count].join('\n');
}
