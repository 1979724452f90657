import { Artifact, artifactKey } from '@strata/model';
import { z } from 'zod';
import { defineTask } from '../define-task';

export const artifactsFetch = defineTask({
  name: 'artifacts.fetch', version: 1, layer: 'native', timeout: '15m', timeoutFrom: 'progress', attempts: 5, pool: 'transfer',
  title: 'The artifacts are on the node',
  input: z.strictObject({ artifacts: z.array(Artifact) }),
  before: z.strictObject({ missing: z.array(z.string()) }), // name@version
  output: z.strictObject({}),
  async check({ host, input }) {
    const missing: string[] = [];
    for (const artifact of input.artifacts) if (!(await host.artifacts.has(artifact))) missing.push(artifactKey(artifact));
    return missing.length === 0 ? { state: 'satisfied', output: {} } : { state: 'unsatisfied', reason: `not on the node: ${missing.join(', ')}`, before: { missing } };
  },
  async apply({ host, input, progress, signal }) {
    await host.artifacts.fetch(input.artifacts, { progress, signal });
  },
  async undo({ host, input, before }) {
    await host.artifacts.drop(input.artifacts.filter((a) => before.missing.includes(artifactKey(a))));
  },
}); // prettier-ignore
