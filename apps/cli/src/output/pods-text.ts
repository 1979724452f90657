import type { PodsView, PodView } from '@strata/model';
import { span, table } from './table';

/** As a table, with what is wrong below it. */
export function podsText(view: PodsView, now: number): string {
  return [podsTable(view.pods, now), ...wrongIn(view.pods), ...staleness(view, now)].join('\n');
}
/** Columns of what is used only where somebody measures it. */
export function podsTable(pods: readonly PodView[], now: number): string {
  if (pods.length === 0) return 'no pods';
  const measured = pods.some((p) => p.usage !== null);
  const rows = pods.map((p) => [
    p.namespace, p.name, p.node ?? '-', p.release ?? '-', readyText(p), p.state, String(p.restarts), p.startedAt === null ? '-' : span(now - p.startedAt),
    ...(measured ? [p.usage === null ? '-' : `${p.usage.cpuMillis}m`, p.usage === null ? '-' : `${Math.ceil(p.usage.memoryBytes / 2 ** 20)}Mi`] : []),
  ]); // prettier-ignore
  return table(['NAMESPACE', 'POD', 'NODE', 'RELEASE', 'READY', 'STATE', 'RESTARTS', 'AGE', ...(measured ? ['CPU', 'MEMORY'] : [])], rows);
}
export const wrongIn = (pods: readonly PodView[]): string[] => pods.flatMap((p) => (p.trouble === null ? [] : [`${p.namespace}/${p.name}: ${p.trouble}`]));
export const staleness = ({ behind, heardAt }: PodsView, now: number): string[] =>
  behind === null ? [] : [`as of ${heardAt === 0 ? 'never' : `${span(now - heardAt)} ago`}: ${behind}`];

/** In one line, without what changes by itself. */
export function podLine(p: PodView): string {
  const restarts = p.restarts === 0 ? '' : `, ${p.restarts} ${p.restarts === 1 ? 'restart' : 'restarts'}`;
  return `${p.namespace}/${p.name}: ${p.state} ${readyText(p)}${p.node === null ? '' : ` on ${p.node}`}${restarts}${p.trouble === null ? '' : ` (${p.trouble})`}`;
}
const readyText = ({ ready }: PodView): string => `${ready.containers}/${ready.of}`;
