import type { KubeObject } from '../ports/cluster';
import { bootstrapGroup } from './kubernetes-paths';

const rbac = 'rbac.authorization.k8s.io';
const apiVersion = `${rbac}/v1`;
const binding = (name: string, role: string, subject: { kind: 'Group' | 'User'; name: string }): KubeObject => ({
  apiVersion,
  kind: 'ClusterRoleBinding',
  metadata: { name },
  roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: role },
  subjects: [{ apiGroup: rbac, ...subject }],
});
const tokens = { kind: 'Group', name: bootstrapGroup } as const;

/**
 * What `kubeadm init phase bootstrap-token` grants, but for two things: nobody's first certificate is approved automatically (the server
 * does that by name), and no stranger may read cluster-info (our discovery file has the CA already). No token is made here either.
 */
export const bootstrapRbac: readonly KubeObject[] = [
  binding('kubeadm:kubelet-bootstrap', 'system:node-bootstrapper', tokens), // may ask for a certificate
  { apiVersion, kind: 'ClusterRole', metadata: { name: 'kubeadm:get-nodes' }, rules: [{ apiGroups: [''], resources: ['nodes'], verbs: ['get'] }] },
  binding('kubeadm:get-nodes', 'kubeadm:get-nodes', tokens),
  // a node that has a certificate renews its own
  binding('kubeadm:node-autoapprove-certificate-rotation', 'system:certificates.k8s.io:certificatesigningrequests:selfnodeclient', {
    kind: 'Group',
    name: 'system:nodes',
  }),
  binding('kubeadm:apiserver-kubelet-client', 'system:kubelet-api-admin', { kind: 'User', name: 'kube-apiserver-kubelet-client' }),
];
/** The binding of kubeadm that would approve any name for any token: never here, whoever made it. */
export const autoApproval = 'kubeadm:node-autoapprove-bootstrap';
