import { z } from 'zod';
import { defineTask } from '../define-task';
import { must } from '../programs';
import { kubeletState } from './kubelet-state';
import { kubernetesPaths as paths } from './kubernetes-paths';
import { endContainers, NodeNetworkBefore, nodeNetworkBefore, restoreNodeNetwork } from './node-network';

/** kubelet of the control plane: from here on it runs the static pods. */
export const kubernetesKubeletStart = defineTask({
  name: 'kubernetes.kubelet-start', version: 1, layer: 'orchestration', timeout: '3m', attempts: 3,
  title: 'Kubelet runs and starts the control plane',
  input: z.strictObject({}),
  before: NodeNetworkBefore,
  output: z.strictObject({}),
  async check({ host }) {
    const words = await kubeletState(host);
    if (words === null) return { state: 'satisfied', output: {} };
    return { state: 'unsatisfied', reason: words, before: await nodeNetworkBefore(host) };
  },
  async apply({ host }) {
    await must(host, ['kubeadm', 'init', 'phase', 'kubelet-start', '--config', paths.config], { durable: 'kubeadm-kubelet-start', timeoutMs: 120_000 });
    await host.files.write(paths.kubeletApplied, (await host.files.sha256(paths.kubeletPatch)) ?? '');
  },
  async undo({ host, before, log }) {
    await host.units.stop('kubelet.service');
    await endContainers(host, log);
    await host.files.remove(paths.kubeletApplied);
    await restoreNodeNetwork(host, before);
  },
}); // prettier-ignore
