import { z } from 'zod';
import { defineServerTask } from '../define-task';
import type { Cluster, KubeObject } from '../ports/cluster';
import { outdated, refOf, withRevision } from '../orchestration/revision';
import { until } from '../wait';

const Metadata = z.looseObject({ name: z.string().min(1), namespace: z.string().optional() });
const ManifestObject = z.looseObject({ apiVersion: z.string().min(1), kind: z.string().min(1), metadata: Metadata });
/** The condition that opens what comes next: the rollout of a workload is complete. */
export const Gate = z.strictObject({
  rollout: z.strictObject({ apiVersion: z.string(), kind: z.enum(['Deployment', 'DaemonSet', 'StatefulSet']), name: z.string(), namespace: z.string() }),
});
export type Gate = z.infer<typeof Gate>;

async function closed(cluster: Cluster, gates: readonly Gate[]): Promise<string | null> {
  for (const { rollout } of gates) {
    const { complete, message } = await cluster.rollout(rollout);
    if (!complete) return `${rollout.kind} ${rollout.name}: ${message}`;
  }
  return null;
}

/** The manifests of a bundle, in their order, and the gates that say they work. */
export const manifestsApply = defineServerTask({
  name: 'manifests.apply', version: 1, layer: 'containerized', timeout: '10m', attempts: 3,
  title: 'The bundle runs',
  input: z.strictObject({ bundle: z.string(), objects: z.array(ManifestObject), gates: z.array(Gate) }),
  before: z.strictObject({}),
  output: z.strictObject({}),
  async check({ cluster, input }) {
    const words = (await outdated(cluster, input.objects)) ?? (await closed(cluster, input.gates));
    return words === null ? { state: 'satisfied', output: {} } : { state: 'unsatisfied', reason: words, before: {} };
  },
  async apply({ cluster, input, clock, signal, progress }) {
    const objects = input.objects as KubeObject[];
    if ((await outdated(cluster, objects)) !== null) await cluster.apply(objects.map(withRevision));
    let last = '';
    const remedy = 'see `strata pods` for what does not start and why, then retry the step';
    await until(clock, { what: `bundle ${input.bundle} to work`, timeoutMs: 480_000, everyMs: 400, signal, remedy, note: () => last }, async () => {
      const words = (await closed(cluster, input.gates)) ?? '';
      if (words !== last) progress(null, words);
      last = words;
      return words === '' ? true : null;
    });
  },
  async undo({ cluster, input }) {
    for (const object of [...(input.objects as KubeObject[])].reverse()) await cluster.delete(refOf(object));
  },
}); // prettier-ignore
