/** What of a workload's object says how far its rollout is. */
export interface Workload {
  kind?: string;
  metadata?: { generation?: number };
  spec?: { replicas?: number };
  status?: {
    observedGeneration?: number;
    replicas?: number;
    updatedReplicas?: number;
    availableReplicas?: number;
    readyReplicas?: number;
    currentRevision?: string;
    updateRevision?: string;
    desiredNumberScheduled?: number;
    updatedNumberScheduled?: number;
    numberAvailable?: number;
  };
}
export interface Rollout {
  complete: boolean;
  message: string;
}
const part = (n: number, of: number, what: string): Rollout => ({ complete: n >= of, message: `${n} of ${of} ${what}` });

/** The same judgement as `kubectl rollout status`, but that a DaemonSet does not wait for `silent` nodes, whose kubelet reports no more. */
export function rolloutOf(o: Workload, silent = 0): Rollout {
  const s = o.status ?? {};
  if ((s.observedGeneration ?? 0) < (o.metadata?.generation ?? 0)) return { complete: false, message: 'its controller has not seen it yet' };
  const steps = o.kind === 'DaemonSet' ? daemonSet(s, silent) : o.kind === 'StatefulSet' ? statefulSet(o) : deployment(o);
  return steps.find((step) => !step.complete) ?? steps.at(-1) ?? { complete: true, message: '' };
}
function daemonSet(s: NonNullable<Workload['status']>, silent: number): Rollout[] {
  const wanted = (s.desiredNumberScheduled ?? 0) - silent;
  if (wanted <= 0) return [{ complete: false, message: 'no node has been given a pod yet' }];
  return [part(s.updatedNumberScheduled ?? 0, wanted, 'updated'), part(s.numberAvailable ?? 0, wanted, 'available')];
}
function deployment(o: Workload): Rollout[] {
  const [s, wanted] = [o.status ?? {}, o.spec?.replicas ?? 1];
  const old = (s.replicas ?? 0) - (s.updatedReplicas ?? 0);
  return [
    part(s.updatedReplicas ?? 0, wanted, 'updated'),
    { complete: old <= 0, message: `${old} old replicas still there` },
    part(s.availableReplicas ?? 0, wanted, 'available'),
  ];
}
function statefulSet(o: Workload): Rollout[] {
  const [s, wanted] = [o.status ?? {}, o.spec?.replicas ?? 1];
  return [part(s.readyReplicas ?? 0, wanted, 'ready'), { complete: s.updateRevision === s.currentRevision, message: 'old revision still runs' }];
}
