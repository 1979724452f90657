import { z } from 'zod';
import { defineServerTask, secretInput } from '../define-task';

/** A look may come without the secret: then it tells what it can. */
function valueOr(secret: () => string): string | undefined {
  try {
    return secret() || undefined;
  } catch {
    return undefined;
  }
}

export const kubeconfigKeep = defineServerTask({
  name: 'kubeconfig.keep', version: 1, layer: 'orchestration', timeout: '2m', attempts: 4,
  title: 'The control server can speak to the cluster',
  input: z.strictObject({ kubeconfig: secretInput() }),
  before: z.strictObject({ kept: z.boolean().default(false) }), // another one was kept: a good one all the same
  output: z.strictObject({}),
  async check({ control, cluster, input, secret }) {
    const kept = await control.hasKubeconfig();
    const now = valueOr(() => secret(input.kubeconfig));
    // the node's own is renewed before its certificate ends
    if (kept && now !== undefined && !(await control.hasKubeconfig(now))) return { state: 'unsatisfied', reason: 'the kubeconfig of the control plane was renewed', before: { kept } };
    if (kept && (await cluster.ready().catch(() => true))) return { state: 'satisfied', output: {} }; // a `cluster` of before it was kept cannot tell
    return { state: 'unsatisfied', reason: 'the control server has no kubeconfig that works', before: { kept } };
  },
  async apply({ control, input, secret }) {
    await control.keepKubeconfig(secret(input.kubeconfig));
  },
  async undo({ control, before }) {
    if (!before.kept) await control.keepKubeconfig(null);
  },
}); // prettier-ignore
