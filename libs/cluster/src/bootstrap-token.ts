import { randomInt } from 'node:crypto';
import { bootstrapGroup, type Cluster, type KubeObject, type ObjectRef } from '@strata/tasks';

const letters = 'abcdefghijklmnopqrstuvwxyz0123456789';
const random = (n: number): string => Array.from({ length: n }, () => letters[randomInt(letters.length)]).join('');
const lifetimeMs = 30 * 60_000;
const refOf = (id: string): ObjectRef => ({ apiVersion: 'v1', kind: 'Secret', namespace: 'kube-system', name: `bootstrap-token-${id}` });

/**
 * Makes a token with which one machine may ask for its first certificate (`mint`), for half an hour at most. Nothing is approved by it:
 * the server approves the request of `node` alone. `value` is a secret. @throws TaskError
 */
export async function mintBootstrapToken(cluster: Cluster, node: string): Promise<{ id: string; value: string }> {
  const [id, secret] = [random(6), random(16)];
  const { apiVersion, kind, name, namespace } = refOf(id);
  const object: KubeObject = {
    apiVersion, kind, metadata: { name, namespace, labels: { 'app.kubernetes.io/managed-by': 'strata' } }, type: 'bootstrap.kubernetes.io/token',
    stringData: {
      description: `the join of node ${node}`, 'token-id': id, 'token-secret': secret, expiration: new Date(Date.now() + lifetimeMs).toISOString(),
      'usage-bootstrap-authentication': 'true', 'usage-bootstrap-signing': 'false', 'auth-extra-groups': bootstrapGroup,
    },
  }; // prettier-ignore
  await cluster.apply([object]);
  return { id, value: `${id}.${secret}` };
}
/** Deletes a token; one that is gone is fine. @throws TaskError */
export async function deleteBootstrapToken(cluster: Cluster, id: string): Promise<void> {
  await cluster.delete(refOf(id));
}
