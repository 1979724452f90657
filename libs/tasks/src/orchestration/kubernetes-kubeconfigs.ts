import { z } from 'zod';
import { defineTask } from '../define-task';
import { must } from '../programs';
import { kubernetesPaths as paths } from './kubernetes-paths';
import { missing } from './written-files';

const made = ['admin.conf', 'super-admin.conf', 'kubelet.conf', 'controller-manager.conf', 'scheduler.conf'].map((name) => `${paths.folder}/${name}`);

export const kubernetesKubeconfigs = defineTask({
  name: 'kubernetes.kubeconfigs', version: 1, layer: 'orchestration', timeout: '2m', attempts: 3,
  title: 'The parts of the control plane have their credentials',
  input: z.strictObject({}),
  before: z.strictObject({}),
  output: z.strictObject({}),
  async check({ host }) {
    const absent = await missing(host, made);
    return absent.length === 0 ? { state: 'satisfied', output: {} } : { state: 'unsatisfied', reason: `missing: ${absent.join(', ')}`, before: {} };
  },
  async apply({ host }) {
    await must(host, ['kubeadm', 'init', 'phase', 'kubeconfig', 'all', '--config', paths.config], { durable: 'kubeadm-kubeconfigs', timeoutMs: 90_000 });
  },
  async undo({ host }) {
    for (const path of made) await host.files.remove(path);
  },
}); // prettier-ignore
