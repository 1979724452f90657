import { type Component, isChart, type ManifestObject, userNamespace } from '@strata/model';
import { userLabel } from '@strata/tasks';
import type { PlanContext } from './context';
import { PlanRefused } from './refused';

type Provided = NonNullable<Component['provides']>[number];
/** What a user may ask for in all, and what a container gets that asks for nothing. */
const quota = { 'requests.cpu': '4', 'requests.memory': '8Gi', 'limits.memory': '16Gi', 'requests.storage': '100Gi', persistentvolumeclaims: '20', pods: '50', 'services.nodeports': '0', 'services.loadbalancers': '0' }; // prettier-ignore
const container = { default: { memory: '512Mi' }, defaultRequest: { cpu: '100m', memory: '128Mi' } };

/** The components of the cluster's bundles that give something to all. */
const providers = (c: PlanContext, what: Provided): Component[] =>
  c.bundles.flatMap((b) => b.content.components.map((m) => m.component)).filter((m) => m.provides?.includes(what));

/**
 * A user's own namespace: limits, no privileged pods, and fences to all other namespaces.
 * @throws PlanRefused where nothing in the cluster holds pods to network policies: a fence that nobody keeps is none
 */
export function namespaceObjects(c: PlanContext, user: string): ManifestObject[] {
  if (providers(c, 'network-policy').length === 0)
    throw new PlanRefused(
      'app.no-network-policy',
      `the namespace of ${user} has to be fenced off, and nothing in this cluster enforces network policies`,
      'add a bundle with a component that `provides: [network-policy]` to the spec and apply it, or install into a namespace without fences: --namespace NAME',
    );
  const namespace = userNamespace(user);
  const labels = { [userLabel]: user, 'app.kubernetes.io/managed-by': 'strata' };
  const metadata = (name: string): ManifestObject['metadata'] => ({ name, namespace, labels });
  const limits = (kind: string, spec: object): ManifestObject => ({ apiVersion: 'v1', kind, metadata: metadata('strata'), spec });
  const policy = (name: string, spec: object): ManifestObject => ({ apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: metadata(name), spec: { podSelector: {}, ...spec } });
  const ingress = providers(c, 'ingress').flatMap((m) => (isChart(m) ? [m.namespace] : []));
  return [
    {
      apiVersion: 'v1', kind: 'Namespace',
      metadata: { name: namespace, labels: { ...labels, 'pod-security.kubernetes.io/enforce': 'baseline', 'pod-security.kubernetes.io/warn': 'restricted' } },
    },
    limits('ResourceQuota', { hard: quota }),
    limits('LimitRange', { limits: [{ type: 'Container', ...container }] }),
    policy('strata-deny', { policyTypes: ['Ingress', 'Egress'] }), // what is not allowed below
    policy('strata-same-namespace', { policyTypes: ['Ingress', 'Egress'], ingress: [{ from: [{ podSelector: {} }] }], egress: [{ to: [{ podSelector: {} }] }] }),
    policy('strata-dns', { policyTypes: ['Egress'], egress: [{ to: [{ namespaceSelector: named('kube-system'), podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } } }], ports: [{ protocol: 'UDP', port: 53 }, { protocol: 'TCP', port: 53 }] }] }),
    policy('strata-outside', { policyTypes: ['Egress'], egress: [{ to: [{ ipBlock: { cidr: '0.0.0.0/0', except: [c.spec.network.podCidr, c.spec.network.serviceCidr] } }] }] }),
    policy('strata-control-plane', { policyTypes: ['Ingress'], ingress: [{ from: controlPlane(c).map((address) => ({ ipBlock: { cidr: `${address}/32` } })) }] }), // gates ask through the API server
    ...(ingress.length === 0 ? [] : [policy('strata-ingress', { policyTypes: ['Ingress'], ingress: [{ from: ingress.map((name) => ({ namespaceSelector: named(name) })) }] })]),
  ];
} // prettier-ignore
const named = (namespace: string): object => ({ matchLabels: { 'kubernetes.io/metadata.name': namespace } });

/** From which addresses the API server's machine reaches pods: its own, and those of its end of the pod network. */
function controlPlane(c: PlanContext): string[] {
  const facts = c.facts.get(c.controlPlane.name);
  const own = (facts?.addresses ?? []).filter((a) => /^(flannel|cni)/.test(a.interface) && /^\d+\.\d+\.\d+\.\d+$/.test(a.address)).map((a) => a.address);
  return [...new Set([c.controlPlane.address, ...own])];
}
