import { NodeName, Taint } from '@strata/model';
import { z } from 'zod';
import { defineServerTask } from '../define-task';
import type { ClusterNode } from '../ports/cluster';
import { TaskError } from '../task-error';

const Input = z.strictObject({ node: NodeName, labels: z.record(z.string(), z.string()), taints: z.array(Taint) });
const key = (t: { key: string; effect: string }): string => `${t.key}:${t.effect}`;
function lacks(node: ClusterNode, input: z.infer<typeof Input>): string[] {
  const has = (t: z.infer<typeof Taint>): boolean => node.taints.some((o) => key(o) === key(t) && o.value === t.value);
  return [
    ...Object.entries(input.labels).flatMap(([k, v]) => (node.labels[k] === v ? [] : [`label ${k}`])),
    ...input.taints.flatMap((t) => (has(t) ? [] : [`taint ${key(t)}`])),
  ];
}

/** Labels and taints of the spec. Those that others gave the node stay. */
export const kubernetesNodeSettings = defineServerTask({
  name: 'kubernetes.node-settings', version: 1, layer: 'orchestration', timeout: '1m', attempts: 4,
  title: 'The node has its labels and taints',
  input: Input,
  before: z.strictObject({}),
  output: z.strictObject({}),
  async check({ cluster, input }) {
    const node = await cluster.node(input.node);
    if (node === null) return { state: 'unsatisfied', reason: `${input.node} is not in the cluster`, before: {} };
    const words = lacks(node, input);
    return words.length === 0 ? { state: 'satisfied', output: {} } : { state: 'unsatisfied', reason: `missing: ${words.join(', ')}`, before: {} };
  },
  async apply({ cluster, input }) {
    const node = await cluster.node(input.node);
    if (node === null) throw new TaskError('no-node', `${input.node} is not in the cluster`, { remedy: 'wait for it to join, then retry the step', retry: true });
    const ours = new Set(input.taints.map(key));
    await cluster.patchNode(input.node, { labels: input.labels, taints: [...node.taints.filter((t) => !ours.has(key(t))), ...input.taints] });
  },
  undo: { never: 'labels and taints go with the node' },
}); // prettier-ignore
