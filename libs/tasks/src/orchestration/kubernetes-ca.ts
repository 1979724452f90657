import { z } from 'zod';
import { defineServerTask, type CheckResult, type ServerContext } from '../define-task';
import { TaskError } from '../task-error';

const Output = z.strictObject({ caPem: z.string() });

async function look({ cluster }: Pick<ServerContext<unknown>, 'cluster'>): Promise<CheckResult<Record<string, never>, z.infer<typeof Output>>> {
  const map = await cluster.get({ apiVersion: 'v1', kind: 'ConfigMap', namespace: 'kube-system', name: 'kube-root-ca.crt' });
  const caPem = (map?.data as Record<string, string> | undefined)?.['ca.crt'];
  return caPem === undefined ? { state: 'unsatisfied', reason: 'the cluster publishes no CA', before: {} } : { state: 'satisfied', output: { caPem } };
}

/** What a new node must know of a cluster that is there: its CA. */
export const kubernetesCa = defineServerTask({
  name: 'kubernetes.ca', version: 1, layer: 'orchestration', timeout: '1m', attempts: 3,
  title: 'The CA of the cluster is known',
  input: z.strictObject({}),
  before: z.strictObject({}),
  output: Output,
  check: look,
  async apply() {
    throw new TaskError('no-ca', 'the cluster has no ConfigMap kube-system/kube-root-ca.crt', {
      remedy: 'its controller manager publishes it: see that kube-controller-manager runs, then retry the step',
      retry: true,
    });
  },
  undo: { never: 'nothing was changed: the step only looks' },
}); // prettier-ignore
