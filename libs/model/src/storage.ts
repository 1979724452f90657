import { z } from 'zod';
import { AbsolutePath, NodeName, PlainPath } from './names';
import { certificatesIn } from './outside';
import { externalFields, metadataIssues, type MetadataPlace, metadataPlace } from './storage-metadata';
import { storagePathIssues } from './storage-paths';
import { s3Fields, s3Issues, type S3Place } from './storage-s3';

export const ObjectStore = z.enum(['seaweedfs', 'minio']);
export type ObjectStore = z.infer<typeof ObjectStore>;

const defaultCache = '/var/cache/strata/juicefs';
/** Where data lies: `local`, each machine for itself, or `juicefs`, one tree for all nodes. What is beside `path` belongs to juicefs: docs/storage.md. */
export const StorageSpec = z.strictObject({
  kind: z.enum(['local', 'juicefs']).default('local'),
  path: AbsolutePath.default('/strata/rootfs'),
  cache: z
    .strictObject({
      path: PlainPath.default(defaultCache),
      sizeMiB: z.int().min(100).max(10_000_000).default(10_240),
      freeRatio: z.number().min(0.1).max(0.9).default(0.25), // kubelet evicts at less than this: the cache gives way first
      writeback: z.boolean().optional(), // a write is done when it is in the cache: faster, and lost with the disk (docs/storage.md)
    })
    .optional(),
  metadata: z
    .strictObject({
      kind: z.enum(['redis', 'external']).default('redis'),
      node: NodeName.optional(), // default: the control plane
      replica: NodeName.optional(), // another node that has a copy; writes then need both (docs/storage.md)
      maxMemoryMiB: z.int().min(64).max(1_000_000).optional(), // default: 1024
      ...externalFields,
    })
    .optional(),
  objects: z.strictObject({ kind: z.enum([...ObjectStore.options, 's3']).default('seaweedfs'), node: NodeName.optional(), ...s3Fields }).optional(),
});
export type StorageSpec = z.infer<typeof StorageSpec>;

/** What the metadata are restored from: the last dump, what is there (only made safe), or a dump by its name in the metadata node's folder of dumps. */
export const RestoreFrom = z.union([
  z.enum(['latest', 'current']),
  z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}\.json\.gz$/, 'must be the name of a dump: NAME.json.gz'),
]);
export type RestoreFrom = z.infer<typeof RestoreFrom>;

/** A service of the shared file system that runs on one node. */
export const StoragePart = z.enum(['metadata', ...ObjectStore.options]);
export type StoragePart = z.infer<typeof StoragePart>;
export const metadataPort = 6390;
/** The S3 port of each kind of object store. */
export const objectsPort = { seaweedfs: 8333, minio: 9000 } as const;

/** All that a shared file system needs, with every default. */
export interface SharedStorage {
  path: string;
  cache: { path: string; sizeMiB: number; freeRatio: number; writeback?: boolean | undefined };
  /** On nodes of ours, or `external`: with somebody else, on none. */
  metadata:
    { kind: 'redis'; node: string; replica: string | null; maxMemoryMiB: number } | { kind: 'external'; node: null; replica: null; place: MetadataPlace };
  /** On a node of ours, or `s3`: with somebody else, on none. */
  objects: { kind: ObjectStore; node: string } | { kind: 's3'; node: null; place: S3Place };
}
interface SpecPart {
  storage: StorageSpec;
  nodes: readonly { name: string; role: string; nat: boolean }[];
}
const Defaults = StorageSpec.required({ cache: true, metadata: true, objects: true });

/** The shared file system that a spec asks for, or null. */
export function sharedStorage({ storage, nodes }: SpecPart): SharedStorage | null {
  if (storage.kind !== 'juicefs') return null;
  const { path, cache, metadata, objects } = Defaults.parse({ cache: {}, metadata: {}, objects: {}, ...storage });
  const controlPlane = nodes.find((n) => n.role === 'control-plane')?.name ?? '';
  return {
    path, cache,
    metadata:
      metadata.kind === 'external'
        ? { kind: 'external', node: null, replica: null, place: metadataPlace(metadata) }
        : { kind: 'redis', node: metadata.node ?? controlPlane, replica: metadata.replica ?? null, maxMemoryMiB: metadata.maxMemoryMiB ?? 1024 },
    objects: objects.kind === 's3' ? { kind: 's3', node: null, place: placeOf(objects) } : { kind: objects.kind, node: objects.node ?? controlPlane },
  }; // prettier-ignore
}
function placeOf({ endpoint = '', region = 'us-east-1', bucket = '', caCertificates = [] }: NonNullable<StorageSpec['objects']>): S3Place {
  const ca = caCertificates.flatMap(certificatesIn).join('');
  return { endpoint: endpoint.replace(/\/$/, ''), region, bucket, ...(ca === '' ? {} : { caPem: ca }) };
}
/** Where the bucket of a cluster is: on its own node by its name there, or where the spec says. */
export function bucketPlace(cluster: string, objects: SharedStorage['objects']): S3Place {
  if (objects.kind === 's3') return objects.place;
  const names = storageNames(cluster);
  return { endpoint: `https://${names.objects}:${objectsPort[objects.kind]}`, region: 'us-east-1', bucket: names.bucket };
}
/** The parts of the shared file system that run on this node. */
export function storagePartsOn(spec: SpecPart, node: string): StoragePart[] {
  const shared = sharedStorage(spec);
  if (!shared) return [];
  return [
    ...([shared.metadata.node, shared.metadata.replica].includes(node) ? ['metadata' as const] : []),
    ...(shared.objects.kind !== 's3' && shared.objects.node === node ? [shared.objects.kind] : []),
  ];
}

/** The same storage with the metadata's two nodes exchanged: what a drill and a failover leave behind. @throws where there is no replica */
export function withSwitchedMetadata(spec: SpecPart): StorageSpec {
  const { node, replica } = sharedStorage(spec)?.metadata ?? {};
  if (node == null || replica == null) throw new Error('the spec has no replica of the metadata');
  return { ...spec.storage, metadata: { kind: 'redis', ...spec.storage.metadata, node: replica, replica: node } };
}

const programsOf = { seaweedfs: ['seaweedfs'], minio: ['minio', 'minio-client'], s3: [] } as const;
/** Entries of the catalog that the shared file system of a spec needs: JuiceFS first, then those of its object store. */
export function storagePrograms(spec: SpecPart): string[] {
  const shared = sharedStorage(spec);
  return shared ? ['juicefs', ...programsOf[shared.objects.kind]] : [];
}

/** Whether a `hostPath` has data of the tree: below its path, or a folder above it that is not the whole machine; what mounts `/` looks at the machine. */
export const usesTree = (path: string, of: string): boolean =>
  of === path || of.startsWith(`${path}/`) || (of !== '/' && path.startsWith(`${of.replace(/\/$/, '')}/`));

/** Names of the shared file system of a cluster: hosts that every node resolves, the volume, and the bucket. */
export const storageNames = (cluster: string): { meta: string; objects: string; volume: string; bucket: string } => ({
  meta: `meta.${cluster}.strata.internal`,
  objects: `objects.${cluster}.strata.internal`,
  volume: `strata-${cluster}`,
  bucket: `${cluster}-rootfs`,
});

/** What is wrong with a spec's storage; paths are those below `spec`. */
export function storageIssues({ storage, nodes }: SpecPart): { path: (string | number)[]; message: string }[] {
  const found: { path: (string | number)[]; message: string }[] = [];
  const parts = ['cache', 'metadata', 'objects'] as const;
  const { kind, path, cache } = storage;
  found.push(...storagePathIssues(path, kind === 'local' ? undefined : { path: cache?.path ?? defaultCache, written: cache !== undefined }));
  if (storage.kind === 'local') {
    for (const part of parts)
      if (storage[part] !== undefined) found.push({ path: ['storage', part], message: `\`${part}\` belongs to \`kind: juicefs\`: set that, or leave it out` });
    return found;
  }
  if (!PlainPath.safeParse(storage.path).success)
    found.push({ path: ['storage', 'path'], message: 'a shared path must be an absolute one of letters, digits, ".", "_" and "-"' });
  if (storage.metadata) found.push(...metadataIssues(storage.metadata));
  if (storage.objects) found.push(...s3Issues(storage.objects));
  const { replica } = storage.metadata ?? {};
  for (const [part, field, node] of [['metadata', 'node', storage.metadata?.node], ['metadata', 'replica', replica], ['objects', 'node', storage.objects?.node]] as const) {
    const at = nodes.find((n) => n.name === node);
    if (node !== undefined && !at) found.push({ path: ['storage', part, field], message: `the spec has no node ${node}: name one of its nodes` });
    if (at?.nat) found.push({ path: ['storage', part, field], message: `nobody reaches ${at.name}, which is behind a NAT: name another node` });
  }
  if (replica !== undefined) found.push(...replicaIssues(replica, { storage, nodes }));
  return found;
} // prettier-ignore
function replicaIssues(replica: string, spec: SpecPart): { path: string[]; message: string }[] {
  const path = ['storage', 'metadata', 'replica'];
  if (sharedStorage(spec)?.metadata.node === replica) return [{ path, message: `the metadata themselves are on ${replica}: name another node for their copy` }];
  if (spec.nodes.length >= 3) return [];
  const message = `a replica needs three nodes or more, and the spec has ${spec.nodes.length}: a write then needs both copies, so that with two machines the loss of either would stop all that is left; leave it out`;
  return [{ path, message }];
}
