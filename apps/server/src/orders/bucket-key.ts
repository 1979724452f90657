import { BucketKey } from '@strata/model';
import type { MasterKey } from '@strata/pki';

const context = (clusterId: string): string => `cluster/${clusterId}/bucket`;

/** The key of a bucket that somebody else runs, sealed for one cluster. */
export const sealBucketKey = (master: MasterKey, clusterId: string, key: BucketKey): string => master.seal(JSON.stringify(key), context(clusterId));

/** What {@link sealBucketKey} sealed; null when there is nothing. Throws when it was moved or changed. */
export function openBucketKey(master: MasterKey, clusterId: string, sealed: string | null): BucketKey | null {
  return sealed === null ? null : BucketKey.parse(JSON.parse(master.open(sealed, context(clusterId)).toString('utf8')));
}
