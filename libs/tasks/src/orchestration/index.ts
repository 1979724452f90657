import type { Task } from '../define-task';
import { agentInstall } from './agent-install';
import { agentRemove } from './agent-remove';
import { artifactObtain } from './artifact-obtain';
import { k3sAgent } from './k3s-agent';
import { k3sConfigure } from './k3s-configure';
import { k3sInstall } from './k3s-install';
import { k3sServer } from './k3s-server';
import { k3sToken, k3sTokenRetire } from './k3s-token';
import { certificatesRenew } from './certificates-renew';
import { etcdSnapshots } from './etcd-snapshots';
import { kubeconfigForget } from './kubeconfig-forget';
import { kubeconfigKeep } from './kubeconfig-keep';
import { kubernetesAddons } from './kubernetes-addons';
import { kubernetesAdmit } from './kubernetes-admit';
import { kubernetesApi } from './kubernetes-api';
import { kubernetesBinaries } from './kubernetes-binaries';
import { kubernetesCa } from './kubernetes-ca';
import { kubernetesCerts } from './kubernetes-certs';
import { kubernetesConfig } from './kubernetes-config';
import { kubernetesControlPlane } from './kubernetes-control-plane';
import { kubernetesEncryption } from './kubernetes-encryption';
import { kubernetesJoin } from './kubernetes-join';
import { kubernetesKubeconfigs } from './kubernetes-kubeconfigs';
import { kubernetesKubeletStart } from './kubernetes-kubelet-start';
import { kubernetesKubeletUnit } from './kubernetes-kubelet-unit';
import { kubernetesNodeDelete } from './kubernetes-node-delete';
import { kubernetesNodeReady } from './kubernetes-node-ready';
import { kubernetesNodeSettings } from './kubernetes-node-settings';
import { kubernetesSettings } from './kubernetes-settings';
import { networkFlannel } from './network-flannel';
import { networkReady } from './network-ready';

export * from './agent-install';
export * from './agent-remove';
export * from './artifact-obtain';
export { bootstrapGroup } from './kubernetes-paths';
export type { ControlPlaneSettings, KubeletConstraints, NodeRegistration, ProxySettings } from './kubeadm-config';
export { flannelDaemonSet } from './flannel-objects';
export * from './k3s-agent';
export * from './k3s-configure';
export * from './k3s-install';
export * from './k3s-server';
export * from './k3s-token';
export * from './certificates-renew';
export { etcdSnapshots, snapshotFolder } from './etcd-snapshots';
export * from './kubeconfig-forget';
export * from './kubeconfig-keep';
export * from './kubernetes-addons';
export * from './kubernetes-admit';
export * from './kubernetes-api';
export * from './kubernetes-binaries';
export * from './kubernetes-ca';
export * from './kubernetes-certs';
export * from './kubernetes-config';
export * from './kubernetes-control-plane';
export * from './kubernetes-encryption';
export * from './kubernetes-join';
export * from './kubernetes-kubeconfigs';
export * from './kubernetes-kubelet-start';
export * from './kubernetes-kubelet-unit';
export * from './kubernetes-node-delete';
export * from './kubernetes-node-ready';
export * from './kubernetes-node-settings';
export * from './kubernetes-settings';
export * from './network-flannel';
export * from './network-ready';
export { refOf } from './revision';

/** The tasks of the orchestration layer. */
export const orchestrationTasks: readonly Task[] = [
  artifactObtain, agentInstall, agentRemove,
  kubernetesBinaries, kubernetesKubeletUnit, kubernetesConfig, kubernetesCerts, kubernetesEncryption, kubernetesKubeconfigs, kubernetesControlPlane,
  kubernetesKubeletStart, kubernetesApi, kubernetesSettings, kubernetesAddons, kubernetesJoin, kubernetesAdmit, kubernetesCa, kubernetesNodeReady,
  kubernetesNodeSettings, kubernetesNodeDelete, kubeconfigKeep, kubeconfigForget, networkFlannel, networkReady,
  etcdSnapshots, certificatesRenew,
  k3sInstall, k3sConfigure, k3sServer, k3sToken, k3sAgent, k3sTokenRetire,
]; // prettier-ignore
