import { randomBytes } from 'node:crypto';
import { MemoryCluster, type SimulatedKubernetes } from '@strata/tasks/testing';

/** What the machines of one cluster share. */
export class SimulatedCluster {
  readonly mark = randomBytes(4).toString('hex');
  readonly members = new MemoryCluster();
  readonly kube: SimulatedKubernetes = { cluster: this.members, made: { ca: 0, encryptionKeys: 0 } };
}
