import { z } from 'zod';
import { defineServerTask, type ServerContext } from '../define-task';
import type { ObjectRef } from '../ports/cluster';
import { until } from '../wait';

const Workload = z.strictObject({ apiVersion: z.string(), kind: z.enum(['DaemonSet', 'Deployment']), name: z.string(), namespace: z.string() });
const Input = z.strictObject({ workloads: z.array(Workload) });

async function incomplete({ cluster }: Pick<ServerContext<unknown>, 'cluster'>, workloads: readonly ObjectRef[]): Promise<string[]> {
  const words: string[] = [];
  for (const ref of workloads) {
    const { complete, message } = await cluster.rollout(ref);
    if (!complete) words.push(`${ref.name}: ${message}`);
  }
  return words;
}

/** The network's own parts run everywhere: pods reach each other, services and names. */
export const networkReady = defineServerTask({
  name: 'network.ready', version: 1, layer: 'orchestration', timeout: '10m', attempts: 3,
  title: 'Pod network, services and DNS work',
  input: Input,
  before: z.strictObject({}),
  output: z.strictObject({}),
  async check({ cluster, input }) {
    const words = await incomplete({ cluster }, input.workloads);
    return words.length === 0 ? { state: 'satisfied', output: {} } : { state: 'unsatisfied', reason: words.join('; '), before: {} };
  },
  async apply({ cluster, input, clock, signal, progress }) {
    let last = '';
    const remedy = 'see `strata pods` for what does not start and why, then retry the step';
    await until(clock, { what: 'the network to be rolled out', timeoutMs: 540_000, everyMs: 400, signal, remedy, note: () => last }, async () => {
      const words = (await incomplete({ cluster }, input.workloads)).join('; ');
      if (words !== last) progress(null, words);
      last = words;
      return words === '' ? true : null;
    });
  },
  undo: { never: 'nothing was changed: the step only waits' },
}); // prettier-ignore
