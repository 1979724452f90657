import { CaPem } from '@strata/model';
import { z } from 'zod';
import { defineServerTask } from '../define-task';

/** Where the metadata are with somebody else, no step of theirs says whom to trust for objects of ours. */
export const storageAuthority = defineServerTask({
  name: 'storage.authority', version: 1, layer: 'native', timeout: '1m', attempts: 3,
  title: 'It is known whom to trust for the objects of the shared file system',
  input: z.strictObject({}),
  before: z.strictObject({}),
  output: z.strictObject({ caPem: CaPem }),
  async check({ control }) {
    return Promise.resolve({ state: 'satisfied', output: { caPem: control.authority() } });
  },
  async apply() {
    return Promise.resolve();
  },
  undo: { never: 'nothing was changed: the step only tells' },
}); // prettier-ignore
