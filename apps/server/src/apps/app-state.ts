import type { SeenRelease } from '@strata/cluster';
import { type AppView, userOf } from '@strata/model';

/** An application's state out of what the cluster tells. `ofSpec`: the cluster's spec makes it. */
export function appView(seen: SeenRelease, ofSpec: boolean): AppView {
  const newest = seen.revisions.at(-1) ?? { revision: 0, status: 'unknown', at: 0 };
  const made = seen.note.made.get(newest.revision) ?? seen.note.made.get(seen.note.good) ?? null;
  const kept = new Set(seen.revisions.map((r) => r.revision));
  const proven = [...new Set([...seen.note.made.keys(), ...(seen.note.good > 0 ? [seen.note.good] : [])])].filter((n) => kept.has(n)).sort((a, b) => a - b);
  return {
    name: seen.name, namespace: seen.namespace, user: userOf(seen.namespace), bundle: made?.bundle ?? null, component: made?.component ?? null, version: made?.version ?? null,
    revision: newest.revision, proven, ...stateOf(seen), by: ofSpec ? 'spec' : seen.note.good > 0 ? 'app' : 'other',
  }; // prettier-ignore
}

function stateOf({ revisions, workloads }: SeenRelease): Pick<AppView, 'state' | 'why' | 'since'> {
  const newest = revisions.at(-1);
  const [status, since] = [newest?.status ?? 'unknown', newest?.at ?? 0];
  if (status.startsWith('pending-')) return { state: 'pending', why: `Helm is at it, or was left in the midst of it: ${status}`, since };
  if (status === 'uninstalling') return { state: 'going', why: 'it is being taken away', since };
  if (status !== 'deployed') return { state: 'failed', why: `Helm calls its newest revision ${status}`, since };
  const stopped = workloads.flatMap((w) => (w.stoppedAt === null ? [] : [w.stoppedAt]));
  if (workloads.length > 0 && stopped.length === workloads.length) return { state: 'stopped', why: null, since: Math.min(...stopped) };
  const missing = workloads.flatMap((w) => (w.missing === null ? [] : [`${w.kind} ${w.name}: ${w.missing}`]));
  const half = workloads.flatMap((w) => (w.stoppedAt === null ? [] : [`${w.kind} ${w.name}: stopped`]));
  const why = [...missing, ...half].join('; ');
  return why === '' ? { state: 'running', why: null, since } : { state: 'degraded', why, since };
}
