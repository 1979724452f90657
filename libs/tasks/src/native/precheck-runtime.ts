import { z } from 'zod';
import { definePrecheck } from '../define-task';
import { mayStay, runtimePlace, servesKubernetes } from '../runtime-place';
import { foreignRuntimes, refusal } from './foreign-runtime';
import { warning } from './findings';

/** Container runtimes that somebody else installed: refused, or left as they are, by the policy. Never removed. */
export const precheckRuntime = definePrecheck({
  name: 'precheck.runtime', version: 1,
  title: 'No other container runtime is in the way',
  input: z.strictObject({ foreign: z.enum(['refuse', 'adopt']).default('refuse') }),
  async look({ host, input }) {
    const place = runtimePlace(await host.facts('containerRuntimes'));
    const stay = (await foreignRuntimes(host)).filter((r) => r.kind === 'podman' || (input.foreign === 'adopt' && mayStay(r)));
    return [
      ...(await refusal(host, input.foreign)),
      ...stay.map((r) => {
        const used = place === 'adopted' && servesKubernetes(r);
        return used
          ? warning('runtime.adopted', `${r.words} is used as it is, because the spec says so`, 'nothing needs to be done')
          : warning('runtime.beside', `${r.words} is left as it is: the cluster's containers run beside it`, 'nothing needs to be done');
      }),
    ];
  },
}); // prettier-ignore
