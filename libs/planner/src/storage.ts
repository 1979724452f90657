import {
  bucketPlace,
  type CatalogEntry,
  type MetadataPlace,
  ObjectStore,
  type S3Place,
  type SharedStorage,
  sharedStorage,
  storagePartsOn,
  storagePrograms,
} from '@strata/model';
import { nativeTasks, storageTasks } from '@strata/tasks';
import { addressOf } from './addresses';
import { entryOf, type PlanContext, type PlannedNode } from './context';
import { fetch } from './fetch';
import { PlanRefused } from './refused';
import { artifact, type Line, type Steps, type StepOptions } from './steps';

const taskOf = { seaweedfs: storageTasks.objectsSeaweedfs, minio: storageTasks.objectsMinio } as const;
export const derived = (what: string): { $secret: string } => ({ $secret: `derive:storage-${what}` });
/** The bucket's key: our own store's follows from the master key, another's was given by the operator. */
export const bucketKey = ({ kind }: SharedStorage['objects']): Record<'access' | 'secret', { $secret: string }> =>
  kind === 's3'
    ? { access: { $secret: 'given:bucket-access' }, secret: { $secret: 'given:bucket-secret' } }
    : { access: derived('bucket-access'), secret: derived('bucket-secret') };
/** The place of the bucket, if somebody else runs it. */
export const elsewhere = ({ objects }: SharedStorage): { s3?: S3Place } => (objects.kind === 's3' ? { s3: objects.place } : {});
export const stepOf = (node: string, task: { name: string }): string => `${node}/${task.name}`;
/** A node's password for the metadata: its own follows from the master key; with somebody else it is everybody's, as the operator gave it. */
export const metadataPassword = ({ metadata }: SharedStorage, node: string): { $secret: string } =>
  metadata.kind === 'external' ? { $secret: 'given:metadata-password' } : derived(`metadata-node:${node}`);
/** The place of the metadata, if somebody else runs them. */
export const outside = ({ metadata }: SharedStorage): { external?: MetadataPlace } => (metadata.kind === 'external' ? { external: metadata.place } : {});
/** The step whose output says whom to trust for services of ours: all are issued by one authority. Null where none is ours. */
function authority({ metadata, objects }: SharedStorage): string | null {
  if (metadata.node !== null) return stepOf(metadata.node, storageTasks.metadataRedis);
  return objects.kind === 's3' ? null : `cluster/${storageTasks.storageAuthority.name}`;
}
/** What has to be done before that is known. */
export const needsAuthority = (shared: SharedStorage): string[] => [authority(shared)].filter((step) => step !== null);
/** That output, as a part of an input. */
export const authorityOf = (shared: SharedStorage): { caPem?: { $output: string; path: string } } => {
  const $output = authority(shared);
  return $output === null ? {} : { caPem: { $output, path: 'caPem' } };
};
/** The node that makes the volume. */
const maker = (c: PlanContext, { metadata }: SharedStorage): string => metadata.node ?? c.controlPlane.name;

/** Catalog entries that the storage of this cluster needs. */
export function storageArtifacts(c: PlanContext): CatalogEntry[] {
  return storagePrograms(c.spec).map((name) => entryOf(c.catalog, name));
}
/** Packages that a node needs for its part of the storage. */
export function storagePackages(c: PlanContext, n: PlannedNode): string[] {
  if (!storagePartsOn(c.spec, n.name).includes('metadata')) return [];
  return [n.facts.packageManager === 'dnf' ? 'redis' : 'redis-tools']; // Debian's redis-server would start a Redis without TLS and password
}
/** The address of the node that a service of the storage runs on; the control plane's where there is none. */
export function storageAddress(c: PlanContext, service: 'metadata' | 'objects'): string {
  const name = sharedStorage(c.spec)?.[service].node;
  return c.nodes.find((n) => n.name === name)?.address ?? c.controlPlane.address;
}

/** Where the node's data lies: a tree of its own, or the shared one, which is there before anything of the cluster starts. */
export function storage(on: Steps, line: Line, { n, c }: { n: PlannedNode; c: PlanContext }): void {
  const shared = sharedStorage(c.spec);
  if (!shared || c.everything) line.step(nativeTasks.localfsLayout, { path: c.spec.storage.path });
  if (!shared) return;
  mustBeHere(c, shared);
  storageServices(line, { n, c, shared });
  if (c.everything) sideMount(line, { n, c, shared }); // a migration that was left half-way
  sharedMount(line, { n, c, shared });
  view(on, c, { shared, node: n.name, after: line });
  dumps(line, { n, c, shared });
}

interface OnNode {
  n: PlannedNode;
  c: PlanContext;
  shared: SharedStorage;
}
/** Its programs, and what runs on this node: metadata, objects, the volume. */
export function storageServices(line: Line, { n, c, shared }: OnNode): void {
  const { metadata, objects } = shared;
  const services = {
    metadata: c.everything || n.name === metadata.node,
    replica: n.name === metadata.replica,
    objects: c.everything || n.name === objects.node,
  };
  const files = line.fork();
  fetch(files, 'storage', services.objects ? storagePrograms(c.spec) : ['juicefs']);
  line.after(files);
  if (services.metadata || services.replica) metadataOn(line, n, { c, shared });
  for (const kind of ObjectStore.options) if (services.objects && (c.everything || kind === objects.kind)) objectsOn(line, n, { c, kind });
  line.step(storageTasks.juicefsInstall, { artifact: artifact('juicefs') });
  if (objects.kind !== 's3') bucketCheck(line, n, { c, shared });
  if (c.everything || n.name === maker(c, shared)) formatOn(line, n, { c, shared });
}
/** What every mount of the shared tree is told, wherever it is. */
const mountInput = ({ n, c, shared }: OnNode) => ({
  cluster: c.cluster, node: n.name, password: metadataPassword(shared, n.name), ...outside(shared), ...authorityOf(shared), ...elsewhere(shared),
}); // prettier-ignore
const mountNeeds = ({ c, shared }: OnNode): StepOptions => {
  const made = c.there ? [] : [stepOf(maker(c, shared), storageTasks.storageFormat)];
  return { needs: c.there || shared.metadata.kind === 'external' ? [...made, ...needsAuthority(shared)] : made };
};
export function sharedMount(line: Line, at: OnNode, options = mountNeeds(at)): void {
  const { cluster, node, ...rest } = mountInput(at);
  line.step(storageTasks.juicefsMount, { cluster, node, path: at.shared.path, cache: at.shared.cache, ...rest }, options);
}
/** With the mount's own password, so behind it; nothing waits for them. */
export function dumps(line: Line, { n, c, shared }: OnNode): void {
  if (c.everything || [shared.metadata.node, shared.metadata.replica].includes(n.name))
    line.fork().step(storageTasks.metadataDumps, { cluster: c.cluster, node: n.name });
}
/** The same tree, beside the one that is moved into it. */
export function sideMount(line: Line, at: OnNode): void {
  line.step(storageTasks.juicefsSideMount, mountInput(at), mountNeeds(at));
}

/** What somebody else runs is tried before anything on the machine is changed: all of it, so that whoever is told of one thing is told of the other. */
export function outsideFirst(line: Line, n: PlannedNode, c: PlanContext): void {
  const shared = sharedStorage(c.spec);
  if (!shared) return;
  const beside = shared.metadata.kind === 'external' && shared.objects.kind === 's3' ? [line.fork()] : [];
  metadataCheckOn(beside[0] ?? line, n, { c, shared });
  if (shared.objects.kind === 's3') bucketCheck(line, n, { c, shared });
  line.after(...beside);
}
function metadataCheckOn(line: Line, n: PlannedNode, { c, shared }: { c: PlanContext; shared: SharedStorage }): void {
  const { external } = outside(shared);
  if (external) line.step(storageTasks.metadataCheck, { cluster: c.cluster, node: n.name, place: external, password: metadataPassword(shared, n.name) });
}
/** With the very key that the volume will have, from every node. */
function bucketCheck(line: Line, n: PlannedNode, { c, shared }: { c: PlanContext; shared: SharedStorage }): void {
  const { objects } = shared;
  const place = bucketPlace(c.cluster, objects);
  const caPem = objects.kind === 's3' ? {} : authorityOf(shared);
  const needs = objects.kind === 's3' ? [] : [...needsAuthority(shared), ...(c.there ? [] : [stepOf(objects.node, taskOf[objects.kind])])];
  line.step(storageTasks.objectsCheck, { cluster: c.cluster, node: n.name, place: { ...place, ...caPem }, ...bucketKey(objects) }, { needs });
} // prettier-ignore

interface Metadata {
  c: PlanContext;
  shared: SharedStorage;
  /** Which nodes may come in; all unless told otherwise. */
  keeps?: (name: string) => boolean;
  options?: StepOptions;
}
export function metadataOn(line: Line, n: PlannedNode, { c, shared, keeps = () => true, options }: Metadata): void {
  const users = c.spec.nodes.filter((m) => keeps(m.name)).map((m) => ({ node: m.name, hash: derived(`metadata-node-hash:${m.name}`) }));
  line.step(
    storageTasks.metadataRedis,
    {
      cluster: c.cluster, address: n.address, maxMemoryMiB: shared.metadata.kind === 'redis' ? shared.metadata.maxMemoryMiB : 1024, identity: { $secret: `mint:storage-identity:meta:${n.address}` },
      admin: derived('metadata-admin'), adminHash: derived('metadata-admin-hash'), users, ...peerOf(n.name, { c, shared }),
    },
    options,
  );
} // prettier-ignore
/** How a machine with the metadata knows the other one; nothing where there is no other, or where it never was seen yet. */
function peerOf(name: string, { c, shared: { metadata } }: { c: PlanContext; shared: SharedStorage }): { peer?: { role: 'primary' | 'replica'; address: string; password: { $secret: string }; hash: { $secret: string } } } {
  const other = metadata.replica === null ? null : name === metadata.node ? metadata.replica : name === metadata.replica ? metadata.node : null;
  const address = other === null ? null : addressNow(c, other);
  if (address === null) return {};
  return { peer: { role: name === metadata.node ? 'primary' : 'replica', address, password: derived('metadata-peer'), hash: derived('metadata-peer-hash') } };
} // prettier-ignore
/** The address of a node, also while it is away; null before it was ever seen. */
export function addressNow(c: PlanContext, name: string): string | null {
  const here = c.nodes.find((n) => n.name === name);
  const [spec, facts] = [c.spec.nodes.find((n) => n.name === name), c.facts.get(name)];
  return here?.address ?? (spec && facts ? addressOf(spec, facts) : null);
}
/** A machine that was the primary before another was made it is put out of use first, before its names lead anywhere else. */
export function metadataAside(line: Line, n: PlannedNode, c: PlanContext): void {
  const shared = sharedStorage(c.spec);
  if (shared?.metadata.replica !== n.name) return;
  const peer = peerOf(n.name, { c, shared }).peer;
  if (peer) line.step(storageTasks.metadataStepdown, { path: shared.path, cache: shared.cache.path, peer: { address: peer.address, password: peer.password } });
}
function objectsOn(line: Line, n: PlannedNode, { c, kind }: { c: PlanContext; kind: ObjectStore }): void {
  const common = {
    cluster: c.cluster, address: n.address, identity: { $secret: `mint:storage-identity:objects:${n.address}` },
    access: derived('bucket-access'), secret: derived('bucket-secret'),
  }; // prettier-ignore
  if (kind === 'seaweedfs') line.step(storageTasks.objectsSeaweedfs, { ...common, artifact: artifact('seaweedfs') });
  else line.step(storageTasks.objectsMinio, { ...common, artifact: artifact('minio'), client: artifact('minio-client'), root: derived('objects-root') });
}
function formatOn(line: Line, n: PlannedNode, { c, shared }: { c: PlanContext; shared: SharedStorage }): void {
  line.step(
    storageTasks.storageFormat,
    {
      cluster: c.cluster, node: n.name, password: metadataPassword(shared, n.name), ...outside(shared), ...(shared.metadata.kind === 'external' ? authorityOf(shared) : {}),
      ...(shared.objects.kind === 's3' ? { s3: shared.objects.place } : { objects: shared.objects.kind }), ...bucketKey(shared.objects),
    },
    { needs: c.nodes.flatMap((m) => [storageTasks.objectsCheck, ...(shared.metadata.kind === 'external' ? [storageTasks.metadataCheck] : [])].map((t) => stepOf(m.name, t))) },
  );
} // prettier-ignore
/** Each node writes, and reads what all others wrote; nothing waits for it but the end of the run. */
export function view(on: Steps, c: PlanContext, { shared, node, after, run }: { shared: SharedStorage; node: string; after?: Line; run?: string }): void {
  const once = run === undefined ? {} : { attempts: 1 }; // who asks how it is now wants no second go
  const writers = c.nodes.filter((m) => m.name !== node).map((m) => m.name);
  const wrote = on.line(node, ...(after ? [after] : [])).step(storageTasks.viewWrite, { path: shared.path, node, ...(run === undefined ? {} : { run }) }, once);
  if (writers.length === 0) return;
  wrote.step(
    storageTasks.viewRead,
    {
      path: shared.path,
      node,
      ...(run === undefined ? {} : { run }),
      files: writers.map((name) => ({ node: name, sha256: { $output: stepOf(name, storageTasks.viewWrite), path: 'sha256' } })),
    },
    { needs: writers.map((name) => stepOf(name, storageTasks.viewWrite)), ...once },
  );
}

/** Claims of Kubernetes can ask for a part of the shared tree. */
export function volumesClass(on: Steps, c: PlanContext, after: readonly (Line | string)[]): void {
  if (sharedStorage(c.spec)) on.line(null, ...after).step(storageTasks.volumesClass, { there: true });
}

/** @throws PlanRefused where a service's node cannot be reached: nobody could mount without it. */
export function mustBeHere(c: PlanContext, { metadata, objects }: SharedStorage): void {
  const away = [metadata.node, objects.node].find((name) => name !== null && !c.nodes.some((n) => n.name === name));
  if (away == null || c.everything) return;
  throw new PlanRefused(
    'storage.absent',
    `${away} cannot be reached, and a part of the shared file system runs there: no node could mount it`,
    `bring ${away} up, then apply again`,
  );
}

/** Every node that is here writes anew, and reads what all others wrote. @throws PlanRefused for a cluster without a shared file system */
export function verifyStorage(on: Steps, c: PlanContext, run: string): void {
  const shared = sharedStorage(c.spec);
  if (!shared)
    throw new PlanRefused(
      'storage.local',
      'each node of this cluster has a tree of its own: there is no shared view',
      'set `storage.kind: juicefs` for one (docs/storage.md)',
    );
  on.phase('activate');
  for (const n of c.nodes) view(on, c, { shared, node: n.name, run });
}

/** New nodes may come in, and the others see what they write. */
export function storageForAdded(on: Steps, c: PlanContext, added: readonly string[]): void {
  const shared = sharedStorage(c.spec);
  if (!shared) return;
  mustBeHere(c, shared);
  metadataWith(on, c, { shared, keeps: () => true });
  authorityOn(on, shared);
  for (const n of c.nodes) if (!added.includes(n.name)) view(on, c, { shared, node: n.name });
}
/** Where the metadata are with somebody else, the server says whom to trust for objects of ours. */
export function authorityOn(on: Steps, shared: SharedStorage | null): void {
  if (shared?.metadata.kind === 'external' && shared.objects.kind !== 's3') on.line(null).step(storageTasks.storageAuthority, {});
}
/** Nodes that left come in no more, when the last of theirs is done. @throws PlanRefused for a node that others live by */
export function storageWithout(on: Steps, c: PlanContext, { gone, after }: { gone: readonly string[]; after: readonly string[] }): void {
  const shared = sharedStorage(c.spec);
  if (shared) metadataWith(on, c, { shared, keeps: (name) => !gone.includes(name), options: { needs: after } });
}
function metadataWith(on: Steps, c: PlanContext, what: Omit<Metadata, 'c'>): void {
  const { metadata } = what.shared;
  const left = metadata.kind === 'redis' && metadata.replica !== null && what.keeps?.(metadata.replica) === false;
  const shared = left ? { ...what.shared, metadata: { ...metadata, replica: null } } : what.shared;
  for (const node of c.nodes)
    if ([shared.metadata.node, shared.metadata.replica].includes(node.name)) metadataOn(on.line(node.name), node, { c, ...what, shared });
}

/** @throws PlanRefused for a node whose removal would take the data of all others. */
export function mayLeave(c: PlanContext, name: string): void {
  const shared = sharedStorage(c.spec);
  const what = shared?.metadata.node === name ? 'the metadata' : shared?.objects.node === name ? 'the objects' : null;
  if (what !== null)
    throw new PlanRefused(
      'storage.last',
      `${name} holds ${what} of the shared file system: without it no node has any of its data`,
      shared?.metadata.node === name && shared.metadata.replica !== null
        ? 'give the lead to their replica first: `strata storage drill`'
        : 'copy what you need out of the shared path and take the whole cluster back with `strata uninstall`; a service cannot be moved yet',
    );
}
