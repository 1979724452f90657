import { z } from 'zod';
import { defineServerTask } from '../define-task';

/** The end of a cluster: nobody can speak to it any more. */
export const kubeconfigForget = defineServerTask({
  name: 'kubeconfig.forget', version: 1, layer: 'orchestration', timeout: '1m', attempts: 4,
  title: 'The control server has forgotten the credentials of the cluster',
  input: z.strictObject({}),
  before: z.strictObject({}),
  output: z.strictObject({}),
  async check({ control }) {
    return (await control.hasKubeconfig()) ? { state: 'unsatisfied', reason: 'a kubeconfig is kept', before: {} } : { state: 'satisfied', output: {} };
  },
  async apply({ control }) {
    await control.keepKubeconfig(null);
  },
  undo: { never: 'an install keeps a kubeconfig again' },
}); // prettier-ignore
