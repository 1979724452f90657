import { Artifact, Version } from '@strata/model';
import { z } from 'zod';
import { defineServerTask } from '../define-task';

export const artifactObtain = defineServerTask({
  name: 'artifact.obtain', version: 1, layer: 'native', timeout: '45m', attempts: 3, pool: 'artifacts',
  title: 'The artifact is in the store of the control server',
  input: z.strictObject({ name: z.string(), version: Version }),
  before: z.strictObject({}),
  output: z.strictObject({ artifact: Artifact }),
  async check({ control, input }) {
    const artifact = await control.obtained(input.name, input.version);
    if (artifact) return { state: 'satisfied', output: { artifact } };
    return { state: 'unsatisfied', reason: `${input.name} ${input.version} is not in the store`, before: {} };
  },
  async apply({ control, input, progress, signal }) {
    await control.obtain(input.name, input.version, { progress, signal });
  },
  undo: { never: 'the store belongs to the control server and serves other clusters too' },
}); // prettier-ignore
