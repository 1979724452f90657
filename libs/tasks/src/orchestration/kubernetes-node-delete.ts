import { NodeName } from '@strata/model';
import { z } from 'zod';
import { defineServerTask } from '../define-task';

/** Takes a node out of the cluster: its pods move elsewhere first. With `force` also if they cannot. */
export const kubernetesNodeDelete = defineServerTask({
  name: 'kubernetes.node-delete', version: 1, layer: 'orchestration', timeout: '10m', attempts: 3,
  title: 'The node is drained and out of the cluster',
  input: z.strictObject({ node: NodeName, force: z.boolean() }),
  before: z.strictObject({}),
  output: z.strictObject({}),
  async check({ cluster, control, input }) {
    if (!(await control.hasKubeconfig()) || (await cluster.node(input.node)) === null) return { state: 'satisfied', output: {} };
    return { state: 'unsatisfied', reason: `${input.node} is in the cluster`, before: {} };
  },
  async apply({ cluster, input, progress, signal }) {
    const node = await cluster.node(input.node);
    if (node === null) return;
    await cluster.patchNode(input.node, { unschedulable: true });
    await cluster.drain(input.node, { progress: (note) => progress(null, note), signal, force: input.force || !node.ready });
    await cluster.deleteNode(input.node);
  },
  undo: { never: 'a node comes back by being added again' },
}); // prettier-ignore
