import type { ApplyClusterBody } from '@strata/model';
import type { Work } from '@strata/store';
import type { Edges } from '../serve/edges';
import { sealBucketKey } from './bucket-key';
import { sealMetadataPassword } from './metadata-password';

/** Keeps what came with a spec for storage that somebody else runs, sealed. What did not come stays as it was sent before. */
export async function keepGiven(
  store: Pick<Work, 'clusters'>,
  { keys }: Pick<Edges, 'keys'>,
  { clusterId, body }: { clusterId: string; body: Pick<ApplyClusterBody, 'bucketKey' | 'metadataPassword'> },
): Promise<void> {
  const { bucketKey, metadataPassword } = body;
  if (bucketKey) await store.clusters.keepBucketKey(clusterId, sealBucketKey(keys.master, clusterId, bucketKey));
  if (metadataPassword) await store.clusters.keepMetadataPassword(clusterId, sealMetadataPassword(keys.master, clusterId, metadataPassword));
}
