import { sharedClass } from '@strata/model';
import { z } from 'zod';
import { defineServerTask } from '../define-task';
import type { KubeObject } from '../ports/cluster';
import { outdated, refOf, withRevision } from '../orchestration/revision';

/** What is deleted is kept: a claim that goes leaves its folder, until a person deletes it. A class of one's own with `reclaimPolicy: Delete` does otherwise. */
const object: KubeObject = {
  apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass',
  metadata: { name: sharedClass.name, labels: { 'app.kubernetes.io/managed-by': 'strata' } },
  provisioner: sharedClass.provisioner, reclaimPolicy: 'Retain', volumeBindingMode: 'Immediate', allowVolumeExpansion: true,
}; // prettier-ignore

/** The StorageClass of the shared view; without one it goes. Volumes are made by the control server, one by one. */
export const volumesClass = defineServerTask({
  name: 'volumes.class', version: 1, layer: 'orchestration', timeout: '2m', attempts: 3,
  title: 'Claims of the class strata-shared get folders of the shared view',
  input: z.strictObject({ there: z.boolean() }),
  before: z.strictObject({}),
  output: z.strictObject({}),
  async check({ cluster, input }) {
    const reason = input.there ? await outdated(cluster, [object]) : (await cluster.get(refOf(object))) === null ? null : `the class ${sharedClass.name} is there`;
    return reason === null ? { state: 'satisfied', output: {} } : { state: 'unsatisfied', reason, before: {} };
  },
  async apply({ cluster, input }) {
    if (input.there) await cluster.apply([withRevision(object)]);
    else await cluster.delete(refOf(object));
  },
  async undo({ cluster, input }) {
    if (input.there) await cluster.delete(refOf(object));
  },
}); // prettier-ignore
