import { z } from 'zod';
import { defineTask } from '../define-task';
import { must } from '../programs';
import { kubernetesPaths as paths, staticPods } from './kubernetes-paths';
import { FolderBefore, folderBefore, restoreFolder } from './own-folder';
import { missing } from './written-files';

/** etcd and the three parts of the control plane, as static pods that kubelet will start. */
export const kubernetesControlPlane = defineTask({
  name: 'kubernetes.control-plane', version: 1, layer: 'orchestration', timeout: '2m', attempts: 3,
  title: 'The control plane is laid out',
  input: z.strictObject({}),
  before: z.strictObject({ etcd: FolderBefore }),
  output: z.strictObject({}),
  async check({ host }) {
    const absent = await missing(host, staticPods);
    const applied = await host.files.read(paths.manifestsApplied);
    if (absent.length === 0 && applied === (await host.files.sha256(paths.config))) return { state: 'satisfied', output: {} };
    const reason = absent.length > 0 ? `missing: ${absent.join(', ')}` : 'the manifests were made from other settings';
    return { state: 'unsatisfied', reason, before: { etcd: await folderBefore(host, paths.etcd) } };
  },
  async apply({ host }) {
    await must(host, ['kubeadm', 'init', 'phase', 'etcd', 'local', '--config', paths.config], { durable: 'kubeadm-etcd', timeoutMs: 60_000 });
    await must(host, ['kubeadm', 'init', 'phase', 'control-plane', 'all', '--config', paths.config], { durable: 'kubeadm-control-plane', timeoutMs: 60_000 });
    await host.files.write(paths.manifestsApplied, (await host.files.sha256(paths.config)) ?? '');
  },
  async undo({ host, before }) {
    for (const path of staticPods) await host.files.remove(path);
    await host.files.remove(paths.manifestsApplied);
    await restoreFolder(host, paths.etcd, before.etcd);
  },
}); // prettier-ignore
