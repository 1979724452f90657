import { z } from 'zod';
import { definePrecheck } from '../define-task';
import { foreignRuntimes, refusal } from './foreign-runtime';
import { warning } from './findings';

/** Container runtimes that somebody else installed. */
export const precheckRuntime = definePrecheck({
  name: 'precheck.runtime', version: 1,
  title: 'No other container runtime is in the way',
  input: z.strictObject({ foreign: z.enum(['refuse', 'adopt']).default('refuse') }),
  async look({ host, input }) {
    const found = await foreignRuntimes(host);
    if (input.foreign === 'adopt') {
      const refused = await refusal(host, 'adopt');
      return [...refused, ...found.map((r) => warning('runtime.adopted', `${r.words} is used as it is, because the spec says so`, 'nothing needs to be done'))];
    }
    return refusal(host, 'refuse');
  },
}); // prettier-ignore
