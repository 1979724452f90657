/** Where Kubernetes lives on a node: kubeadm's own layout, so that its documentation holds here too. */
export const kubernetesPaths = {
  folder: '/etc/kubernetes',
  pki: '/etc/kubernetes/pki',
  caCert: '/etc/kubernetes/pki/ca.crt',
  manifests: '/etc/kubernetes/manifests',
  adminConf: '/etc/kubernetes/admin.conf',
  superAdminConf: '/etc/kubernetes/super-admin.conf',
  kubeletConf: '/etc/kubernetes/kubelet.conf',
  bootstrapConf: '/etc/kubernetes/bootstrap-kubelet.conf',
  encryption: '/etc/kubernetes/encryption.yaml',
  kubeletFolder: '/var/lib/kubelet',
  kubeletConfig: '/var/lib/kubelet/config.yaml',
  kubeletClient: '/var/lib/kubelet/pki/kubelet-client-current.pem',
  etcd: '/var/lib/etcd',
  /** Ours: what kubeadm is told, and which state of it was applied. */
  ours: '/etc/kubernetes/strata',
  config: '/etc/kubernetes/strata/kubeadm.yaml',
  patches: '/etc/kubernetes/strata/patches',
  kubeletPatch: '/etc/kubernetes/strata/patches/kubeletconfiguration+merge.yaml',
  resolver: '/etc/kubernetes/strata/resolv.conf',
  join: '/etc/kubernetes/strata/join.yaml',
  discovery: '/etc/kubernetes/strata/discovery.conf',
  sansApplied: '/etc/kubernetes/strata/applied.apiserver-sans',
  manifestsApplied: '/etc/kubernetes/strata/applied.manifests',
  /** Certificates were renewed, and not all parts have started anew since. */
  renewing: '/etc/kubernetes/strata/renewing',
  kubeletApplied: '/etc/kubernetes/strata/applied.kubelet',
} as const;
export const binaryFolder = '/usr/local/bin';
/** The group of tokens with which a machine may ask for a node's certificate. */
export const bootstrapGroup = 'system:bootstrappers:kubeadm:default-node-token';

/** The four static pods of a control plane. */
export const staticPods = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler'].map((n) => `${kubernetesPaths.manifests}/${n}.yaml`);
