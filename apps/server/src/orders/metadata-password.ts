import type { MetadataPassword } from '@strata/model';
import type { MasterKey } from '@strata/pki';

const context = (clusterId: string): string => `cluster/${clusterId}/metadata`;

/** The password of metadata that somebody else runs, sealed for one cluster. */
export const sealMetadataPassword = (master: MasterKey, clusterId: string, password: MetadataPassword): string => master.seal(password, context(clusterId));

/** What {@link sealMetadataPassword} sealed; null when there is nothing. Throws when it was moved or changed. */
export function openMetadataPassword(master: MasterKey, clusterId: string, sealed: string | null): MetadataPassword | null {
  return sealed === null ? null : master.open(sealed, context(clusterId)).toString('utf8');
}
