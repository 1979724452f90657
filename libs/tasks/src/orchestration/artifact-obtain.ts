import { Artifact, Version } from '@strata/model';
import { z } from 'zod';
import { defineServerTask } from '../define-task';

export const artifactObtain = defineServerTask({
  name: 'artifact.obtain', version: 1, layer: 'native', timeout: '45m', timeoutFrom: 'progress', attempts: 3, pool: 'artifacts',
  title: 'The artifact is in the store of the control server',
  /** `unofficial`: the spec also takes what is not published by its vendor. */
  input: z.strictObject({ name: z.string(), version: Version, unofficial: z.boolean().optional() }),
  before: z.strictObject({}),
  output: z.strictObject({ artifact: Artifact }),
  async check({ control, input }) {
    const artifact = await control.obtained(input.name, input.version);
    if (artifact) return { state: 'satisfied', output: { artifact } };
    return { state: 'unsatisfied', reason: `${input.name} ${input.version} is not in the store`, before: {} };
  },
  async apply({ control, input, progress, signal }) {
    await control.obtain(input.name, input.version, { progress, signal, unofficial: input.unofficial ?? false });
  },
  undo: { never: 'the store belongs to the control server and serves other clusters too' },
}); // prettier-ignore
