import { z } from 'zod';
import { defineTask } from '../define-task';
import type { Host } from '../ports/host';
import { must } from '../programs';
import { until } from '../wait';
import { autoApproval, bootstrapRbac } from './bootstrap-rbac';
import { appliedMarker, applyObjects, deleteObject, getObjects, markerValue } from './kubectl';
import { kubernetesPaths as paths } from './kubernetes-paths';

const marker = 'strata-settings';

/** What a kubelet.conf of kubeadm holds at first is a certificate of one year: from now on it names the file that kubelet renews. */
async function kubeletRenews(host: Host): Promise<boolean> {
  return (await host.files.read(paths.kubeletConf))?.includes(`client-certificate: ${paths.kubeletClient}`) ?? false;
}
async function letKubeletRenew(host: Host): Promise<true | null> {
  const text = await host.files.read(paths.kubeletConf);
  if (text === null || (await host.files.stat(paths.kubeletClient)) === null) return null;
  const renewed = text
    .replace(/client-certificate-data: \S+/, `client-certificate: ${paths.kubeletClient}`)
    .replace(/client-key-data: \S+/, `client-key: ${paths.kubeletClient}`);
  await host.files.write(paths.kubeletConf, renewed, { mode: 0o600 });
  return true;
}

/** The cluster keeps its own configuration, knows its control plane, and lets machines ask for a certificate, which nobody approves by himself. */
export const kubernetesSettings = defineTask({
  name: 'kubernetes.settings', version: 1, layer: 'orchestration', timeout: '3m', attempts: 4,
  title: 'The cluster knows its settings and who may ask to join',
  input: z.strictObject({}),
  before: z.strictObject({}),
  output: z.strictObject({}),
  async check({ host }) {
    const wrong = (reason: string): { state: 'unsatisfied'; reason: string; before: Record<string, never> } => ({ state: 'unsatisfied', reason, before: {} });
    if (!(await kubeletRenews(host))) return wrong('kubelet does not renew its certificate yet');
    const found = await getObjects(host, 'kube-system', [`configmap/${marker}`, `clusterrolebinding/${autoApproval}`]);
    if (found.has(`ClusterRoleBinding/${autoApproval}`)) return wrong(`${autoApproval} would approve any name for any token`);
    const applied = markerValue(found.get(`ConfigMap/${marker}`));
    if (applied === null) return wrong('the cluster does not know its settings yet');
    return applied === (await host.files.sha256(paths.config)) ? { state: 'satisfied', output: {} } : wrong('the cluster has other settings');
  },
  async apply({ host, clock, signal }) {
    await must(host, ['kubeadm', 'init', 'phase', 'upload-config', 'all', '--config', paths.config], { durable: 'kubeadm-upload-config', timeoutMs: 90_000 });
    await deleteObject(host, `clusterrolebinding/${autoApproval}`);
    await applyObjects(host, [...bootstrapRbac, appliedMarker(marker, (await host.files.sha256(paths.config)) ?? '')]);
    const remedy = 'see `journalctl -u kubelet` and `kubectl get csr`: kubelet asks for a certificate of its own and is given it automatically';
    await until(clock, { what: "kubelet's own certificate", timeoutMs: 60_000, everyMs: 200, signal, remedy }, () => letKubeletRenew(host));
  },
  undo: { never: 'the settings are in etcd and go with it' },
}); // prettier-ignore
