import { Gate, ManifestObject } from '@strata/model';
import { z } from 'zod';
import { defineServerTask } from '../define-task';
import { outdated, refOf, withRevision } from '../orchestration/revision';
import type { Cluster, KubeObject } from '../ports/cluster';
import { awaitGates } from './await-gates';
import { closedGate } from './gates';

const nameOf = (o: KubeObject): string => `${o.apiVersion}/${o.kind} ${o.metadata.namespace ?? ''}/${o.metadata.name}`;
/** Objects of these that are there already, whoever made them. */
async function those(cluster: Cluster, objects: readonly KubeObject[]): Promise<string[]> {
  const there: string[] = [];
  for (const object of objects) if ((await cluster.get(refOf(object))) !== null) there.push(nameOf(object));
  return there;
}

/** The manifests of a component, in their order, and the gates that say they work. */
export const manifestsApply = defineServerTask({
  name: 'manifests.apply', version: 1, layer: 'containerized', timeout: '35m', attempts: 3,
  title: 'The manifests of a bundle are applied, and what they make works',
  input: z.strictObject({ bundle: z.string(), objects: z.array(ManifestObject), gates: z.array(Gate), timeoutMs: z.int().default(480_000) }),
  before: z.strictObject({ there: z.array(z.string()).default([]) }), // not ours to take away
  output: z.strictObject({}),
  async check({ cluster, input }) {
    const objects = input.objects as KubeObject[];
    const reason = (await outdated(cluster, objects)) ?? (await closedGate(cluster, input.gates))?.words ?? null;
    return reason === null ? { state: 'satisfied', output: {} } : { state: 'unsatisfied', reason, before: { there: await those(cluster, objects) } };
  },
  async apply(c) {
    const objects = c.input.objects as KubeObject[];
    if ((await outdated(c.cluster, objects)) !== null) await c.cluster.apply(objects.map(withRevision));
    await awaitGates(c, { what: `${c.input.bundle} to work`, gates: c.input.gates, timeoutMs: c.input.timeoutMs });
  },
  async undo({ cluster, input, before }) {
    const objects = input.objects as KubeObject[];
    for (const object of [...objects].reverse()) if (!before.there.includes(nameOf(object))) await cluster.delete(refOf(object));
  },
}); // prettier-ignore
