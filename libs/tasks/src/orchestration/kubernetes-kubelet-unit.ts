import { unsetProxies } from '@strata/model';
import { z } from 'zod';
import { defineTask } from '../define-task';
import { runtimePaths } from '../runtime-place';
import { differing, FileImages, imagesOf, restoreAll, writeAll } from './written-files';

const unit = 'kubelet.service';
const file = {
  path: `/etc/systemd/system/${unit}`,
  content: `# Written by Strata
[Unit]
Description=kubelet: the node agent of Kubernetes
Documentation=https://kubernetes.io/docs/
Wants=network-online.target
After=network-online.target containerd.service ${runtimePaths.beside.unit}
StartLimitIntervalSec=0

[Service]
Environment="KUBELET_KUBECONFIG_ARGS=--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf"
Environment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml"
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
${unsetProxies}
ExecStart=/usr/local/bin/kubelet $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS $KUBELET_KUBEADM_ARGS
Restart=always
RestartSec=3

[Install]
WantedBy=multi-user.target
`,
};

/** The unit only: kubelet is started by kubeadm once it has a configuration. */
export const kubernetesKubeletUnit = defineTask({
  name: 'kubernetes.kubelet-unit', version: 1, layer: 'orchestration', timeout: '1m', attempts: 3,
  title: 'Kubelet has a unit that starts with the machine',
  input: z.strictObject({}),
  before: FileImages,
  output: z.strictObject({}),
  async check({ host }) {
    const words = await differing(host, [file]);
    const enabled = (await host.units.state(unit)).enabled === 'enabled';
    if (words === null && enabled) return { state: 'satisfied', output: {} };
    return { state: 'unsatisfied', reason: words ?? `${unit} is not enabled`, before: await imagesOf(host, [file.path]) };
  },
  async apply({ host }) {
    await writeAll(host, [file]);
    await host.units.daemonReload();
    await host.units.enable(unit);
  },
  async undo({ host, before }) {
    const state = await host.units.state(unit);
    if (state.load !== 'not-found') {
      await host.units.stop(unit);
      await host.units.disable(unit);
    }
    await restoreAll(host, before);
    await host.units.daemonReload();
  },
}); // prettier-ignore
