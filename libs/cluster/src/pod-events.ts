import type { CoreV1Event } from '@kubernetes/client-node';
import type { PodEvent, PodRef } from '@strata/model';
import { TaskError } from '@strata/tasks';
import { Connection, must, orNull } from './connection';

/** More of one pod nobody reads. */
const most = 500;

/** What Kubernetes tells of a pod. */
export class PodEvents {
  private readonly connection: Connection;

  constructor(kubeconfig: string) {
    this.connection = new Connection(kubeconfig);
  }

  /** The newest last. Of a pod that is gone: all that is kept of its name. @throws TaskError `no-pod` where neither pod nor event is there */
  async look({ namespace, name }: PodRef): Promise<PodEvent[]> {
    const pod = await orNull(`ask for the pod ${name}`, () => this.connection.core.readNamespacedPod({ namespace, name }));
    // kubelet tells of a static pod by the hash of its file: the pod that the API has of it is a picture with another uid
    const uid = pod?.metadata?.annotations?.['kubernetes.io/config.mirror'] ?? pod?.metadata?.uid;
    const fieldSelector = uid === undefined ? `involvedObject.kind=Pod,involvedObject.name=${name}` : `involvedObject.uid=${uid}`;
    const { items } = await must(`list the events of ${name}`, () => this.connection.core.listNamespacedEvent({ namespace, fieldSelector, limit: most }));
    if (pod === null && items.length === 0) throw noPod({ namespace, name });
    return items.map(eventOf).sort((a, b) => a.at - b.at);
  }
}
export const noPod = ({ namespace, name }: PodRef): TaskError =>
  new TaskError('no-pod', `there is no pod ${name} in ${namespace}`, { remedy: 'see which there are: strata pods' });

/** An event is told either as it was once (first, last, count), or as a series. */
function eventOf(e: CoreV1Event): PodEvent {
  const made = e.eventTime ?? e.metadata.creationTimestamp;
  return {
    at: timeOf(e.series?.lastObservedTime ?? e.lastTimestamp ?? made), firstAt: timeOf(e.firstTimestamp ?? made),
    type: e.type === 'Warning' ? 'Warning' : 'Normal', reason: e.reason ?? '', message: e.message ?? '', count: e.series?.count ?? e.count ?? 1,
  }; // prettier-ignore
}
const timeOf = (at: Date | string | undefined): number => (at === undefined ? 0 : new Date(at).getTime());
