import { type KubernetesObject, PatchStrategy, setHeaderOptions } from '@kubernetes/client-node';
import type { ClaimId } from '@strata/model';
import type { KubeObject, VolumesSeen } from '@strata/tasks';
import { Connection, isConflict, must, orNull } from './connection';

const merged = setHeaderOptions('Content-Type', PatchStrategy.MergePatch);

/** Claims of the shared view in a cluster's Kubernetes, and the volumes that answer them. */
export class SharedVolumes {
  private readonly connection: Connection;
  /** @param kubeconfig text @throws TaskError if it is none */
  constructor(kubeconfig: string) {
    this.connection = new Connection(kubeconfig);
  }

  /** All that decides what is to be done. @throws TaskError */
  async seen(): Promise<VolumesSeen> {
    const [classes, claims, volumes] = await Promise.all([this.list('storage.k8s.io/v1', 'StorageClass'), this.list('v1', 'PersistentVolumeClaim'), this.volumes()]);
    return { classes, claims, volumes };
  }
  /** @throws TaskError */
  volumes(): Promise<KubeObject[]> {
    return this.list('v1', 'PersistentVolume');
  }
  /** Makes a volume; one that is there already is what an earlier try made. @throws TaskError */
  async make(volume: KubeObject): Promise<void> {
    try {
      await must(`make the volume ${volume.metadata.name}`, () => this.connection.core.createPersistentVolume({ body: volume }));
    } catch (error) {
      if (!isConflict(error)) throw error;
    }
  }
  /** Volume and claim say the new size. @throws TaskError */
  async grown(volume: string, claim: ClaimId, gib: number): Promise<void> {
    const capacity = { storage: `${gib}Gi` };
    await must(`enlarge the volume ${volume}`, () => this.connection.core.patchPersistentVolume({ name: volume, body: { spec: { capacity } } }, merged));
    const { namespace, name } = claim;
    const body = { status: { capacity } };
    await orNull(`tell ${namespace}/${name} of its size`, () => this.connection.core.patchNamespacedPersistentVolumeClaimStatus({ name, namespace, body }, merged));
  }
  /** @throws TaskError */
  async drop(volume: string): Promise<void> {
    await orNull(`delete the volume ${volume}`, () => this.connection.core.deletePersistentVolume({ name: volume }));
  }
  /** What `kubectl describe pvc` shows. @throws TaskError */
  async tell({ namespace, name, uid }: ClaimId, words: string): Promise<void> {
    const now = new Date();
    const body = {
      metadata: { generateName: `${name.slice(0, 60)}.`, namespace }, type: 'Warning', reason: 'ProvisioningFailed', message: words.slice(0, 1000),
      involvedObject: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name, uid },
      source: { component: 'strata' }, firstTimestamp: now, lastTimestamp: now, count: 1,
    }; // prettier-ignore
    await must(`tell of ${namespace}/${name}`, () => this.connection.core.createNamespacedEvent({ namespace, body }));
  }

  private async list(apiVersion: string, kind: string): Promise<KubeObject[]> {
    const { items } = await must(`list each ${kind}`, () => this.connection.objects.list<KubernetesObject>(apiVersion, kind));
    return items.map((o) => ({ ...o, apiVersion, kind }) as KubeObject); // a list says neither of its items
  }
} // prettier-ignore
