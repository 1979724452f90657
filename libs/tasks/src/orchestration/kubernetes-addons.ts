import { z } from 'zod';
import { defineTask } from '../define-task';
import { must } from '../programs';
import { appliedMarker, applyObjects, getObjects, markerValue, restartRollout } from './kubectl';
import { kubernetesPaths as paths } from './kubernetes-paths';

const marker = 'strata-addons';

export const kubernetesAddons = defineTask({
  name: 'kubernetes.addons', version: 1, layer: 'orchestration', timeout: '3m', attempts: 4,
  title: 'CoreDNS and kube-proxy are set up',
  input: z.strictObject({}),
  before: z.strictObject({}),
  output: z.strictObject({}),
  async check({ host }) {
    const found = await getObjects(host, 'kube-system', [`configmap/${marker}`, 'daemonset/kube-proxy', 'deployment/coredns']);
    const absent = ['DaemonSet/kube-proxy', 'Deployment/coredns'].filter((ref) => !found.has(ref));
    if (absent.length > 0) return { state: 'unsatisfied', reason: `missing: ${absent.join(', ')}`, before: {} };
    if (markerValue(found.get(`ConfigMap/${marker}`)) === (await host.files.sha256(paths.config))) return { state: 'satisfied', output: {} };
    return { state: 'unsatisfied', reason: 'the addons were made from other settings', before: {} };
  },
  async apply({ host }) {
    const again = (await getObjects(host, 'kube-system', [`configmap/${marker}`])).size > 0;
    await must(host, ['kubeadm', 'init', 'phase', 'addon', 'all', '--config', paths.config], { durable: 'kubeadm-addons', timeoutMs: 90_000 });
    if (again) await restartRollout(host, 'kube-system', 'daemonset/kube-proxy'); // it reads its configuration only when it starts
    await applyObjects(host, [appliedMarker(marker, (await host.files.sha256(paths.config)) ?? '')]);
  },
  undo: { never: 'the addons are in etcd and go with it' },
}); // prettier-ignore
