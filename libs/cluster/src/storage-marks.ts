import { type KubernetesObject, PatchStrategy, setHeaderOptions, type V1Node, type V1Taint } from '@kubernetes/client-node';
import { usesTree } from '@strata/model';
import { Connection, isConflict, must, orNull } from './connection';

const type = 'StrataStorage';
export const storageTaint = { key: 'strata.local/storage-unavailable', effect: 'NoSchedule' } as const;
const isOurs = (t: V1Taint): boolean => t.key === storageTaint.key;
const merged = setHeaderOptions('Content-Type', PatchStrategy.StrategicMergePatch);

/** What Kubernetes is told of a node's shared mount: a condition with the reason and a taint while it cannot be used, neither otherwise. */
export class StorageMarks {
  private readonly connection: Connection;
  /** @param kubeconfig text @throws TaskError if it is none */
  constructor(kubeconfig: string) {
    this.connection = new Connection(kubeconfig);
  }

  /** Makes it so; says whether anything was to be changed. A node that is not there is left alone. @throws TaskError */
  async mark(name: string, bad: { reason: string; message: string } | null): Promise<boolean> {
    for (let tries = 1; ; tries += 1) {
      const node = await orNull(`read node ${name}`, () => this.connection.core.readNode({ name }));
      if (!node) return false;
      try {
        const taint = await this.taint(node, bad !== null);
        return (await this.condition(node, bad)) || taint;
      } catch (error) {
        if (!isConflict(error) || tries === 5) throw error; // somebody else changed the node between our look and our change
      }
    }
  }
  /** `namespace/name` of the pods on a node that have the path, something in it, or what is above it from the node, by themselves or by a claim. @throws TaskError */
  async podsOn(node: string, path: string): Promise<string[]> {
    const list = await must('list the pods', () => this.connection.core.listPodForAllNamespaces({ fieldSelector: `spec.nodeName=${node}` }));
    const volumes = await must('list the volumes', () => this.connection.core.listPersistentVolume());
    const claims = new Set(volumes.items.flatMap(({ spec }) => (usesTree(path, spec?.hostPath?.path ?? '/') && spec?.claimRef ? [`${spec.claimRef.namespace ?? ''}/${spec.claimRef.name ?? ''}`] : [])));
    return list.items
      .filter((p) => p.spec?.volumes?.some((v) => (v.hostPath !== undefined && usesTree(path, v.hostPath.path)) || claims.has(`${p.metadata?.namespace ?? ''}/${v.persistentVolumeClaim?.claimName ?? ' '}`)))
      .map((p) => `${p.metadata?.namespace ?? ''}/${p.metadata?.name ?? ''}`);
  }

  private async condition(node: V1Node, bad: { reason: string; message: string } | null): Promise<boolean> {
    const name = node.metadata?.name ?? '';
    const is = node.status?.conditions?.find((c) => c.type === type);
    if (bad === null ? is === undefined : is?.status === 'False' && is.message === bad.message && is.reason === bad.reason) return false;
    const now = new Date().toISOString();
    const since = is?.lastTransitionTime ? new Date(is.lastTransitionTime).toISOString() : now;
    const condition = bad === null ? { type, $patch: 'delete' } : { type, status: 'False', ...bad, lastHeartbeatTime: now, lastTransitionTime: since };
    await must(`tell of the storage on node ${name}`, () => this.connection.core.patchNodeStatus({ name, body: { status: { conditions: [condition] } } }, merged));
    return true;
  }
  /** The list of taints can only be replaced whole: the version that was read goes along, so that nobody else's taint is lost. */
  private async taint(node: V1Node, bad: boolean): Promise<boolean> {
    const taints = node.spec?.taints ?? [];
    if (taints.some(isOurs) === bad) return false;
    const { name = '', resourceVersion = '' } = node.metadata ?? {};
    const body = { apiVersion: 'v1', kind: 'Node', metadata: { name, resourceVersion }, spec: { taints: bad ? [...taints, storageTaint] : taints.filter((t) => !isOurs(t)) } };
    await must(`taint node ${name}`, () =>
      this.connection.objects.patch(body as KubernetesObject, undefined, undefined, 'strata', undefined, PatchStrategy.MergePatch),
    );
    return true;
  }
} // prettier-ignore
