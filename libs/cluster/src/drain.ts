import type { V1Pod } from '@kubernetes/client-node';
import { TaskError } from '@strata/tasks';
import { type Connection, isConflict, isGone, must } from './connection';

/** A pod that another node's copy does not replace, or that kubelet itself keeps: draining leaves it. */
const stays = (p: V1Pod): boolean =>
  p.metadata?.annotations?.['kubernetes.io/config.mirror'] !== undefined || (p.metadata?.ownerReferences ?? []).some((o) => o.kind === 'DaemonSet');
const finished = (p: V1Pod): boolean => p.status?.phase === 'Succeeded' || p.status?.phase === 'Failed';
const nameOf = (p: V1Pod): string => `${p.metadata?.namespace ?? ''}/${p.metadata?.name ?? ''}`;

/**
 * Evicts what must move; a disruption budget may say "later" and is asked again. With `force`, pods are deleted at once: for a node that
 * is not coming back. @throws TaskError when the signal fires, naming what is left.
 */
export async function drain(
  connection: Connection,
  node: string,
  options: { progress: (note: string) => void; signal: AbortSignal; force: boolean },
): Promise<void> {
  const list = async (): Promise<V1Pod[]> => {
    const all = await must(`list the pods of ${node}`, () => connection.core.listPodForAllNamespaces({ fieldSelector: `spec.nodeName=${node}` }));
    return all.items.filter((p) => !stays(p));
  };
  const blocked = new Map<string, string>();
  for (;;) {
    const left = await list();
    if (left.length === 0) return;
    if (options.signal.aborted)
      throw new TaskError('drain-unfinished', `${left.length} pods are still on ${node}: ${left.map(nameOf).join(', ')}`, {
        remedy: `${[...blocked.values()][0] ?? 'they take long to end'}; mend that, or remove the node with --force`,
        retry: true,
      });
    options.progress(`${left.length} pods still on ${node}: ${left.slice(0, 3).map(nameOf).join(', ')}`);
    for (const p of left) await move(connection, p, { force: options.force, blocked });
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}
async function move(connection: Connection, p: V1Pod, { force, blocked }: { force: boolean; blocked: Map<string, string> }): Promise<void> {
  const [name, namespace] = [p.metadata?.name ?? '', p.metadata?.namespace ?? ''];
  if (p.metadata?.deletionTimestamp && !force) return;
  try {
    if (force || finished(p)) await must(`delete pod ${nameOf(p)}`, () => connection.core.deleteNamespacedPod({ name, namespace, gracePeriodSeconds: 0 }));
    else {
      const body = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace } };
      await must(`evict pod ${nameOf(p)}`, () => connection.core.createNamespacedPodEviction({ name, namespace, body }));
    }
    blocked.delete(nameOf(p));
  } catch (error) {
    if (isGone(error)) return;
    if (!isConflict(error)) throw error;
    blocked.set(nameOf(p), (error as Error).message); // a disruption budget says: not now
  }
}
