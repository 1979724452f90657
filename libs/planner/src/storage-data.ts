import { bucketPlace, type RunIntent, sharedStorage, type StoragePart, storagePartsOn } from '@strata/model';
import { storageDataOf, type storageTasks } from '@strata/tasks';
import type { PlanContext } from './context';
import { PlanRefused } from './refused';
import type { WithRefs } from './steps';
import { bucketKey, metadataPassword } from './storage';

type Erase = WithRefs<NonNullable<(typeof storageTasks.storageErase)['inputType']>>;
interface StorageData {
  /** What is told of data that stay. */
  stays: { what: string; because: string }[];
  /** What a node deletes when all nodes have let go of the tree; null for nothing. */
  erase: (node: string) => Erase | null;
}
const nothing = (): null => null;

/** A password that all nodes share is known by those that leave. */
export function knownPassword(c: PlanContext, gone: readonly string[]): StorageData['stays'] {
  const metadata = sharedStorage(c.spec)?.metadata;
  if (metadata?.kind !== 'external') return [];
  return [{ what: 'the password of the metadata', because: `every node has the same, so ${gone.join(', ')} had it: to shut it out give the user at ${metadata.place.url} another one, and apply` }];
} // prettier-ignore

/** The data of the shared file system in an uninstall: by default they stay, and are named. @throws PlanRefused where they cannot go */
export function storageData(c: PlanContext, intent: Pick<RunIntent, 'deleteData' | 'force'>): StorageData {
  const shared = sharedStorage(c.spec);
  if (!shared && intent.deleteData === true)
    throw new PlanRefused(
      'storage.local',
      `this cluster has no shared file system: each machine's tree at ${c.spec.storage.path} is that machine's own`,
      'uninstall without --delete-data, and delete on the machines what you do not need',
    );
  if (!shared) return { stays: [], erase: nothing };
  const parts = (node: string): StoragePart[] => storagePartsOn(c.spec, node);
  const place = bucketPlace(c.cluster, shared.objects);
  const { metadata } = shared;
  const theirs = metadata.kind === 'external' ? [`the metadata at ${metadata.place.url}`] : [];
  const there = shared.objects.kind === 's3' ? [`the bucket ${place.bucket} at ${place.endpoint}`] : [];
  const places = [
    ...c.spec.nodes.flatMap((n) =>
      parts(n.name).map((part) => `${n.name}:${storageDataOf[part]}${part === 'metadata' ? ' (and -mark, -dumps beside it)' : ''}`),
    ),
    ...theirs,
    ...there,
  ].join(' and ');
  if (intent.deleteData !== true)
    return { stays: [{ what: 'the data of the shared file system', because: `they stay in ${places}; --delete-data would delete them` }], erase: nothing };
  if (c.absent.length > 0 && !intent.force)
    throw new PlanRefused(
      'storage.absent',
      `${c.absent.join(', ')} cannot be reached, and may still write into the shared file system: its data are not deleted under it`,
      'bring it up, or uninstall without --delete-data',
    );
  const holder = (c.nodes.find((n) => n.name === metadata.node) ?? c.nodes[0])?.name ?? '';
  const bucket = shared.objects.kind === 's3' ? { bucket: { place, ...bucketKey(shared.objects) } } : {};
  const external = metadata.kind === 'external' ? { metadata: { place: metadata.place, password: metadataPassword(shared, holder) } } : {};
  return {
    stays: [],
    erase: (node) =>
      parts(node).length === 0 && node !== holder ? null : { cluster: c.cluster, parts: parts(node), ...(node === holder ? { ...bucket, ...external } : {}) },
  };
}
