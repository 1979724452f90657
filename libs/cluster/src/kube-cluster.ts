import { type KubernetesObject, PatchStrategy, type V1CertificateSigningRequest, type V1Node } from '@kubernetes/client-node';
import type { Cluster, ClusterNode, KubeObject, ObjectRef, PodSummary, SigningRequest } from '@strata/tasks';
import { Connection, type Deadlines, must, orNull } from './connection';
import { csrSubject } from './csr-subject';
import { drain } from './drain';
import { type Rollout, rolloutOf, type Workload } from './rollout';
import { nodeSummary, podSummary, signingRequest } from './summaries';

const fieldOwner = 'strata';
const words = (o: { kind: string; name: string; namespace?: string }): string => `${o.kind} ${o.namespace === undefined ? '' : `${o.namespace}/`}${o.name}`;
const header = (ref: ObjectRef): { apiVersion: string; kind: string; metadata: { name: string; namespace?: string } } => ({
  apiVersion: ref.apiVersion,
  kind: ref.kind,
  metadata: { name: ref.name, ...(ref.namespace === undefined ? {} : { namespace: ref.namespace }) },
});

/** A Kubernetes cluster by its API. Every call ends within its deadline. */
class KubeCluster implements Cluster {
  constructor(private readonly connection: Connection) {}

  ready(): Promise<boolean> {
    return this.connection.answers('/readyz');
  }
  async nodes(): Promise<ClusterNode[]> {
    const list = await must('list the nodes', () => this.connection.core.listNode());
    return list.items.map(nodeSummary);
  }
  async node(name: string): Promise<ClusterNode | null> {
    const node = await orNull(`read node ${name}`, () => this.connection.core.readNode({ name }));
    return node && nodeSummary(node);
  }
  async get(ref: ObjectRef): Promise<KubeObject | null> {
    return (await orNull(`read ${words(ref)}`, () => this.connection.objects.read<KubernetesObject>(header(ref)))) as KubeObject | null;
  }
  async apply(objects: readonly KubeObject[]): Promise<void> {
    for (const o of objects) {
      const what = `apply ${words({ kind: o.kind, name: o.metadata.name, namespace: o.metadata.namespace })}`;
      await must(what, () => this.connection.objects.patch(o as KubernetesObject, undefined, undefined, fieldOwner, true, PatchStrategy.ServerSideApply));
    }
  }
  async delete(ref: ObjectRef): Promise<void> {
    await orNull(`delete ${words(ref)}`, () => this.connection.objects.delete(header(ref), undefined, undefined, undefined, undefined, 'Background'));
  }
  async list({ apiVersion, kind, namespace }: { apiVersion: string; kind: string; namespace?: string }): Promise<KubeObject[]> {
    const { items } = await must(`list each ${kind}`, () => this.connection.objects.list<KubernetesObject>(apiVersion, kind, namespace));
    return items.map((o) => ({ ...o, apiVersion, kind }) as KubeObject); // a list says neither of its items
  }
  async patch(object: KubeObject): Promise<void> {
    const what = `change ${words({ kind: object.kind, name: object.metadata.name, namespace: object.metadata.namespace })}`;
    await must(what, () => this.connection.objects.patch(object as KubernetesObject, undefined, undefined, undefined, undefined, PatchStrategy.MergePatch));
  }
  async patchNode(name: string, patch: Parameters<Cluster['patchNode']>[1]): Promise<void> {
    const { labels, taints, unschedulable } = patch;
    const body = { apiVersion: 'v1', kind: 'Node', metadata: { name, labels }, spec: { taints, unschedulable } };
    const sent = JSON.parse(JSON.stringify(body)) as V1Node & KubernetesObject; // without what is undefined
    await must(`change node ${name}`, () => this.connection.objects.patch(sent, undefined, undefined, fieldOwner, undefined, PatchStrategy.MergePatch));
  }
  async rollout(ref: ObjectRef): Promise<Rollout> {
    const found = await this.get(ref);
    if (!found) return { complete: false, message: 'not there yet' };
    const first = rolloutOf(found as Workload);
    if (first.complete || ref.kind !== 'DaemonSet') return first;
    const nodes = await must('list the nodes', () => this.connection.core.listNode());
    return rolloutOf(found as Workload, nodes.items.filter((n) => n.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'Unknown')).length);
  }
  async signingRequests(): Promise<SigningRequest[]> {
    const list = await must('list the certificate requests', () => this.connection.certificates.listCertificateSigningRequest());
    return list.items.map((r) => signingRequest(r, csrSubject));
  }
  approve(name: string): Promise<void> {
    return this.judge(name, { type: 'Approved', reason: 'StrataAdmitsNode', message: 'token, name and planned node agree' });
  }
  deny(name: string, reason: string): Promise<void> {
    return this.judge(name, { type: 'Denied', reason: 'StrataRefuses', message: reason });
  }
  async pods(filter: { namespace?: string; node?: string; labels?: string } = {}): Promise<PodSummary[]> {
    const { core } = this.connection;
    const selectors = {
      ...(filter.node === undefined ? {} : { fieldSelector: `spec.nodeName=${filter.node}` }),
      ...(filter.labels === undefined ? {} : { labelSelector: filter.labels }),
    };
    const { namespace } = filter;
    const list = await must('list the pods', () =>
      namespace === undefined ? core.listPodForAllNamespaces(selectors) : core.listNamespacedPod({ namespace, ...selectors }),
    );
    return list.items.map(podSummary);
  }
  async logs({ namespace, pod, container, previous, lines }: Parameters<Cluster['logs']>[0]): Promise<string | null> {
    const of = { name: pod, namespace, container, previous, tailLines: lines, limitBytes: 16_384 };
    // kubelet answers 400 for a life that is not kept any more, and for a container that has not begun
    return this.connection.core.readNamespacedPodLog(of).catch(() => null);
  }
  http({ namespace, service, port, path }: Parameters<Cluster['http']>[0]): Promise<{ status: number; body: string } | null> {
    return this.connection.throughProxy(`/api/v1/namespaces/${namespace}/services/${service}:${port}/proxy${path}`);
  }
  drain(node: string, options: Parameters<Cluster['drain']>[1]): Promise<void> {
    return drain(this.connection, node, options);
  }
  async deleteNode(name: string): Promise<void> {
    await orNull(`delete node ${name}`, () => this.connection.core.deleteNode({ name }));
  }

  private async judge(name: string, verdict: { type: string; reason: string; message: string }): Promise<void> {
    const { certificates } = this.connection;
    const found: V1CertificateSigningRequest = await must(`read certificate request ${name}`, () => certificates.readCertificateSigningRequest({ name }));
    const body = {
      ...found,
      status: { ...found.status, conditions: [...(found.status?.conditions ?? []), { ...verdict, status: 'True', lastUpdateTime: new Date() }] },
    };
    await must(`answer certificate request ${name}`, () => certificates.replaceCertificateSigningRequestApproval({ name, body }));
  }
}

/** The cluster of a kubeconfig (text). Nothing is asked yet. @throws TaskError if the text is no kubeconfig. */
export const connectCluster = (kubeconfig: string, deadlines?: Deadlines): Cluster => new KubeCluster(new Connection(kubeconfig, deadlines));
