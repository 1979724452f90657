import { NodeName } from '@strata/model';
import { z } from 'zod';
import { defineServerTask } from '../define-task';
import { until } from '../wait';

export const kubernetesNodeReady = defineServerTask({
  name: 'kubernetes.node-ready', version: 1, layer: 'orchestration', timeout: '10m', attempts: 3,
  title: 'The node is Ready',
  input: z.strictObject({ node: NodeName }),
  before: z.strictObject({}),
  output: z.strictObject({ uid: z.string() }),
  async check({ cluster, input }) {
    const node = await cluster.node(input.node);
    if (node?.ready) return { state: 'satisfied', output: { uid: node.uid } };
    return { state: 'unsatisfied', reason: node ? `not Ready: ${node.message}` : 'not in the cluster', before: {} };
  },
  async apply({ cluster, input, clock, signal, progress }) {
    let last = '';
    const remedy = `see \`kubectl describe node ${input.node}\` and the pods of kube-flannel on it, then retry the step`;
    await until(clock, { what: `${input.node} to be Ready`, timeoutMs: 540_000, everyMs: 300, signal, remedy, note: () => last }, async () => {
      const node = await cluster.node(input.node);
      const words = node === null ? 'not in the cluster' : node.ready ? '' : node.message;
      if (words !== last) progress(null, words);
      last = words;
      return node?.ready ? true : null;
    });
  },
  undo: { never: 'nothing was changed: the step only waits' },
}); // prettier-ignore
