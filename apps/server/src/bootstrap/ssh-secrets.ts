import { SshSecrets } from '@strata/model';
import type { MasterKey } from '@strata/pki';

const context = (nodeId: string): string => `node/${nodeId}/ssh`;

/** The secrets of first contact, sealed for one node. */
export const sealSshSecrets = (master: MasterKey, nodeId: string, secrets: SshSecrets): string => master.seal(JSON.stringify(secrets), context(nodeId));

/** What {@link sealSshSecrets} sealed; null when there is nothing. Throws when it was moved or changed. */
export function openSshSecrets(master: MasterKey, nodeId: string, sealed: string | null): SshSecrets | null {
  return sealed === null ? null : SshSecrets.parse(JSON.parse(master.open(sealed, context(nodeId)).toString('utf8')));
}
