/**
 * How long tasks usually take on a small machine with everything in the server's store (ms): what an estimate starts from until a server has seen its own.
 * Keyed by task name; tasks that are not named take `usualMs`.
 */
export const typicalMs: Readonly<Record<string, number>> = {
  'agent.install': 9_000,
  'agent.remove': 3_000,
  'artifact.obtain': 2_000,
  'artifacts.fetch': 8_000,
  'packages.install': 25_000,
  'ntp.configure': 3_000,
  'sshd.configure': 2_000,
  'runc.install': 800,
  'containerd.install': 3_000,
  'cni.install': 1_000,
  'images.import': 8_000,
  'kubernetes.binaries': 2_000,
  'kubernetes.certs': 2_000,
  'kubernetes.kubeconfigs': 1_500,
  'kubernetes.control-plane': 2_000,
  'kubernetes.kubelet-start': 2_000,
  'kubernetes.api': 12_000,
  'kubernetes.settings': 3_000,
  'kubernetes.addons': 2_000,
  'kubernetes.join': 6_000,
  'kubernetes.admit': 3_000,
  'kubernetes.node-ready': 12_000,
  'kubernetes.node-delete': 15_000,
  'network.flannel': 1_500,
  'network.ready': 15_000,
  'k3s.server': 20_000,
  'k3s.agent': 15_000,
  'manifests.apply': 12_000,
  'helm.release': 15_000,
};
/** Most tasks of the native layer write a file or two. */
export const usualMs = 500;
