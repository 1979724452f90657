/** What one Kubernetes version runs beside itself. Versions without "v"; refs are exactly what `kubeadm config images list` prints. */
export interface KubernetesComponents {
  etcd: string;
  coredns: string;
  pause: string;
  images: Record<'kube-apiserver' | 'kube-controller-manager' | 'kube-scheduler' | 'kube-proxy' | 'etcd' | 'coredns' | 'pause', string>;
}

const registry = 'registry.k8s.io';
/** From `cmd/kubeadm/app/constants` of each version. */
const table: Record<string, { etcd: string; etcdTag: string; coredns: string; pause: string }> = {
  '1.36.3': { etcd: '3.6.8', etcdTag: '3.6.8-0', coredns: '1.14.2', pause: '3.10.2' },
  '1.37.2': { etcd: '3.7.0', etcdTag: '3.7.0-0', coredns: '1.14.6', pause: '3.10.2' },
};

export const knownKubernetesVersions: readonly string[] = Object.keys(table);

/** The components that kubeadm of this version names. Throws for a version that we have not built and tried, and lists those we have. */
export function kubernetesComponents(version: string): KubernetesComponents {
  const row = table[version];
  if (!row) throw new Error(`Kubernetes ${version} is not known here. Known: ${knownKubernetesVersions.join(', ')}. Choose one of these.`);
  const { etcd, etcdTag, coredns, pause } = row;
  const own = (name: string): string => `${registry}/${name}:v${version}`;
  return {
    etcd,
    coredns,
    pause,
    images: {
      'kube-apiserver': own('kube-apiserver'),
      'kube-controller-manager': own('kube-controller-manager'),
      'kube-scheduler': own('kube-scheduler'),
      'kube-proxy': own('kube-proxy'),
      etcd: `${registry}/etcd:${etcdTag}`,
      coredns: `${registry}/coredns/coredns:v${coredns}`,
      pause: `${registry}/pause:${pause}`,
    },
  };
}
