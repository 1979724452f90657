import { z } from 'zod';
import { defineServerTask, secretInput } from '../define-task';

export const kubeconfigKeep = defineServerTask({
  name: 'kubeconfig.keep', version: 1, layer: 'orchestration', timeout: '2m', attempts: 4,
  title: 'The control server can speak to the cluster',
  input: z.strictObject({ kubeconfig: secretInput() }),
  before: z.strictObject({}),
  output: z.strictObject({}),
  async check({ control, cluster }) {
    const kept = await control.hasKubeconfig();
    if (kept && (await cluster.ready().catch(() => true))) return { state: 'satisfied', output: {} }; // a `cluster` of before it was kept cannot tell
    return { state: 'unsatisfied', reason: 'the control server has no kubeconfig that works', before: {} };
  },
  async apply({ control, input, secret }) {
    await control.keepKubeconfig(secret(input.kubeconfig));
  },
  async undo({ control }) {
    await control.keepKubeconfig(null);
  },
}); // prettier-ignore
