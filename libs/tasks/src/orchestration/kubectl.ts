import { must } from '../programs';
import type { KubeObject } from '../ports/cluster';
import type { Host } from '../ports/host';
import { kubernetesPaths as paths } from './kubernetes-paths';

const kubectl = (...args: string[]): [string, ...string[]] => [
  'kubectl',
  '--kubeconfig',
  paths.adminConf,
  '--cache-dir',
  '/run/kubernetes/kubectl',
  '--request-timeout',
  '20s',
  ...args,
];

/** Those of the objects that exist, by `Kind/name`, as the administrator on the control plane sees them. `refs`: `configmap/strata-settings`. */
export async function getObjects(host: Host, namespace: string, refs: readonly string[]): Promise<Map<string, KubeObject>> {
  const { stdout } = await must(host, kubectl('get', '-n', namespace, ...refs, '--ignore-not-found', '-o', 'json'));
  const parsed = stdout.trim() === '' ? { items: [] } : (JSON.parse(stdout) as { items?: KubeObject[] });
  const items = parsed.items ?? [parsed as unknown as KubeObject];
  return new Map(items.map((o) => [`${o.kind}/${o.metadata.name}`, o]));
}
export async function applyObjects(host: Host, objects: readonly KubeObject[]): Promise<void> {
  const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects });
  await must(host, kubectl('apply', '--server-side', '--force-conflicts', '--field-manager', 'strata', '-f', '-'), { input: list });
}
export async function deleteObject(host: Host, ref: string): Promise<void> {
  await must(host, kubectl('delete', ref, '--ignore-not-found'));
}
export async function restartRollout(host: Host, namespace: string, ref: string): Promise<void> {
  await must(host, kubectl('rollout', 'restart', '-n', namespace, ref));
}
/** A ConfigMap of ours that says which state of kubeadm's configuration the cluster has. */
export const appliedMarker = (name: string, config: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'kube-system', labels: { 'app.kubernetes.io/managed-by': 'strata' } },
  data: { config },
});
export const markerValue = (o: KubeObject | undefined): string | null => (o?.data as { config?: string } | undefined)?.config ?? null;
