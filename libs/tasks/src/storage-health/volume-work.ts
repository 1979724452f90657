import { ClaimId, gibibyte, nanosIn, nanosOf, sharedClass, volumeFolder } from '@strata/model';
import type { KubeObject } from '../ports/cluster';

/** What Kubernetes holds of claims and volumes. */
export interface VolumesSeen {
  classes: readonly KubeObject[];
  claims: readonly KubeObject[];
  volumes: readonly KubeObject[];
}
/** One thing to do, each for one claim. */
export type VolumeWork = { claim: ClaimId; gib: number } & (
  | { do: 'make'; volume: KubeObject }
  | { do: 'grow'; volume: string }
  | { do: 'drop'; volume: string }
  | { do: 'refuse'; words: string } // told to whoever made the claim
);

/** Bytes of a quantity of Kubernetes; NaN for what is none. */
export function bytesOf(quantity: unknown): number {
  const nanos = nanosOf(String(quantity));
  return nanos === null ? Number.NaN : nanosIn(nanos, 'one');
}
/** JuiceFS counts quotas in whole GiB: a claim gets at least what it asks for. */
const gibOf = (quantity: unknown): number => Math.max(1, Math.ceil(bytesOf(quantity) / gibibyte));

interface Claim {
  storageClassName?: string;
  volumeName?: string;
  volumeMode?: string;
  accessModes?: string[];
  selector?: unknown;
  dataSource?: unknown;
  dataSourceRef?: unknown;
  resources?: { requests?: { storage?: string } };
}
interface Volume {
  capacity?: { storage?: string };
  hostPath?: { path?: string };
  persistentVolumeReclaimPolicy?: string;
  claimRef?: { namespace?: string; name?: string; uid?: string };
}
const part = <T>(o: KubeObject, field: string): T => (o[field] ?? {}) as T;
const phase = (o: KubeObject): string => part<{ phase?: string }>(o, 'status').phase ?? '';
const idOf = (of: { namespace?: string | undefined; name?: string | undefined; uid?: string | undefined }): ClaimId | null =>
  ClaimId.safeParse({ namespace: of.namespace, name: of.name, uid: of.uid }).data ?? null;
const leaving = (o: KubeObject): boolean => (o.metadata as { deletionTimestamp?: unknown }).deletionTimestamp !== undefined;

/** The claim of a volume of ours, if it lies where we would have put it: nothing else is ever touched. */
export function claimOf(volume: KubeObject, path: string): ClaimId | null {
  if (volume.metadata.annotations?.['pv.kubernetes.io/provisioned-by'] !== sharedClass.provisioner) return null;
  const { claimRef = {}, hostPath } = part<Volume>(volume, 'spec');
  const id = idOf(claimRef);
  return id !== null && hostPath?.path === path + volumeFolder(id) ? id : null;
}
function unfit(c: Claim): string | null {
  if (c.volumeMode === 'Block') return 'a volume of the shared file system is a folder, not a block device: leave `volumeMode` out';
  if (c.selector !== undefined) return 'a folder is made for each claim: leave `selector` out';
  if (c.dataSource != null || c.dataSourceRef != null) return 'a volume of the shared file system begins empty: leave `dataSource` out, and copy the data';
  return (bytesOf(c.resources?.requests?.storage) > 0) ? null : 'the claim does not say how much it needs: `resources.requests.storage`';
} // prettier-ignore

/** All that is to be done now so that claims, volumes and folders agree. */
export function volumeWork(seen: VolumesSeen, path: string): VolumeWork[] {
  const classes = new Map(seen.classes.filter((c) => c.provisioner === sharedClass.provisioner).map((c) => [c.metadata.name, c]));
  const named = new Set(seen.volumes.map((v) => v.metadata.name));
  const work: VolumeWork[] = [];
  const byUid = new Map<string, KubeObject>();
  for (const o of seen.claims) {
    const { uid } = o.metadata as { uid?: string };
    const claim = idOf({ ...o.metadata, uid });
    if (claim === null || leaving(o)) continue;
    byUid.set(claim.uid, o);
    const spec = part<Claim>(o, 'spec');
    const of = classes.get(spec.storageClassName ?? '');
    if (!of || phase(o) !== 'Pending' || (spec.volumeName ?? '') !== '' || named.has(`pvc-${claim.uid}`)) continue;
    const words = unfit(spec);
    const gib = gibOf(spec.resources?.requests?.storage);
    work.push(words === null ? { do: 'make', claim, gib, volume: volumeOf({ claim, gib, spec, of, path }) } : { do: 'refuse', claim, gib: 1, words });
  }
  for (const v of seen.volumes) {
    const claim = claimOf(v, path);
    if (claim === null || leaving(v)) continue;
    const { capacity, persistentVolumeReclaimPolicy } = part<Volume>(v, 'spec');
    const [volume, has] = [v.metadata.name, gibOf(capacity?.storage)];
    if (phase(v) === 'Released' && persistentVolumeReclaimPolicy === 'Delete') work.push({ do: 'drop', claim, gib: has, volume });
    const o = byUid.get(claim.uid);
    if (phase(v) !== 'Bound' || !o) continue;
    const gib = Math.max(has, gibOf(part<Claim>(o, 'spec').resources?.requests?.storage));
    const told = bytesOf(part<{ capacity?: { storage?: string } }>(o, 'status').capacity?.storage);
    if (gib > has || told < has * gibibyte) work.push({ do: 'grow', claim, gib, volume });
  }
  return work;
}

/** `Directory`: a pod on a machine without the mount waits, and writes beside it never. */
const volumeOf = ({ claim, gib, spec, of, path }: { claim: ClaimId; gib: number; spec: Claim; of: KubeObject; path: string }): KubeObject => ({
  apiVersion: 'v1', kind: 'PersistentVolume',
  metadata: {
    name: `pvc-${claim.uid}`, labels: { 'app.kubernetes.io/managed-by': 'strata' },
    annotations: { 'pv.kubernetes.io/provisioned-by': sharedClass.provisioner },
  },
  spec: {
    capacity: { storage: `${gib}Gi` }, accessModes: spec.accessModes ?? ['ReadWriteMany'], volumeMode: 'Filesystem', storageClassName: of.metadata.name,
    persistentVolumeReclaimPolicy: of.reclaimPolicy ?? 'Delete', hostPath: { path: path + volumeFolder(claim), type: 'Directory' },
    claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace: claim.namespace, name: claim.name, uid: claim.uid },
  },
}); // prettier-ignore
