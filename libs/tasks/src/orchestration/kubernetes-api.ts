import { ClusterName, HostOrIp, Ipv4 } from '@strata/model';
import { z } from 'zod';
import { defineTask, type NodeContext, sealed } from '../define-task';
import type { Host } from '../ports/host';
import { TaskError } from '../task-error';
import { until } from '../wait';
import { kubeconfigOf } from './kubeadm-config';
import { kubernetesPaths as paths } from './kubernetes-paths';

const Input = z.strictObject({ cluster: ClusterName, address: Ipv4, endpoint: HostOrIp });

async function answers(host: Host, address: string): Promise<string | null> {
  const ca = await host.files.read(paths.caCert);
  if (ca === null) return `${paths.caCert} is missing`;
  const got = await host.network.get(`https://${address}:6443/readyz`, { timeoutMs: 3000, ca });
  if (got === null) return `https://${address}:6443 does not answer`;
  return got.status === 200 ? null : `/readyz answers ${got.status}`;
}
async function credentials({ host, input }: Pick<NodeContext<z.infer<typeof Input>>, 'host' | 'input'>): Promise<{ kubeconfig: string; caPem: string }> {
  const [adminConf, caPem] = [await host.files.read(paths.adminConf), await host.files.read(paths.caCert)];
  if (adminConf !== null && caPem !== null) return { kubeconfig: kubeconfigOf(adminConf, input), caPem };
  throw new TaskError('missing-file', `${adminConf === null ? paths.adminConf : paths.caCert} is gone`, {
    remedy: 'put it back from a backup: it cannot be made again',
  });
}

/** The API server answers. Its CA and the administrator's kubeconfig (sealed) go to the server. */
export const kubernetesApi = defineTask({
  name: 'kubernetes.api', version: 1, layer: 'orchestration', timeout: '6m', attempts: 3,
  title: 'The API of the cluster answers',
  input: Input,
  before: z.strictObject({}),
  output: z.strictObject({ kubeconfig: sealed(), caPem: z.string(), caHash: z.string() }),
  async check({ host, input }) {
    const words = await answers(host, input.address);
    if (words !== null) return { state: 'unsatisfied', reason: words, before: {} };
    return { state: 'satisfied', output: { ...(await credentials({ host, input })), caHash: (await host.files.sha256(paths.caCert)) ?? '' } };
  },
  async apply({ host, input, clock, signal, progress }) {
    let last = 'nothing';
    const remedy = 'see `journalctl -u kubelet` and /var/log/pods/kube-system_kube-apiserver* on the node, then retry the step';
    await until(clock, { what: 'the API server', timeoutMs: 300_000, everyMs: 250, signal, remedy, note: () => last }, async () => {
      const words = await answers(host, input.address);
      if (words !== null && words !== last) progress(null, (last = words));
      return words === null ? true : null;
    });
  },
  undo: { never: 'the API goes with the pods of the control plane' },
}); // prettier-ignore
