import type { Cluster, ClusterNode, KubeObject, ObjectRef, PodSummary, SigningRequest } from '../ports/cluster';
import { refOf } from '../orchestration/revision';
import { TaskError } from '../task-error';

const keyOf = (r: ObjectRef): string => `${r.kind} ${r.namespace ?? ''}/${r.name}`;
/** As a merge patch does it. */
function merged(is: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const all: Record<string, unknown> = typeof is === 'object' && is !== null ? { ...is } : {};
  for (const [key, value] of Object.entries(patch)) all[key] = value === null ? undefined : merged(all[key], value);
  return JSON.parse(JSON.stringify(all));
}

/** A request for a certificate and what happens when somebody approves it. */
export interface MemoryRequest extends SigningRequest {
  issue: () => void;
}

/** A Kubernetes API in memory: it answers while `up` says so, keeps objects, and its nodes are Ready when the pod network's DaemonSet is there. */
export class MemoryCluster implements Cluster {
  readonly objects = new Map<string, KubeObject>();
  readonly requests = new Map<string, MemoryRequest>();
  readonly drained: string[] = [];
  readonly members = new Map<string, { address: string; labels: Record<string, string>; taints: ClusterNode['taints']; unschedulable: boolean }>();
  /** Who was approved, in order: a witness for "once, and only this name". */
  readonly approved: string[] = [];
  /** Workloads that never come up, as `KIND NAMESPACE/NAME`. */
  readonly failing = new Set<string>();
  /** Whether the API server runs; set by the simulation of kubelet. */
  up: () => boolean = () => false;
  /** What must be applied before a node turns Ready. */
  network: ObjectRef | null = { apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'kube-flannel-ds', namespace: 'kube-flannel' };

  ready = (): Promise<boolean> => Promise.resolve(this.up());
  async nodes(): Promise<ClusterNode[]> {
    this.mustAnswer('list the nodes');
    const ready = this.network === null || this.objects.has(keyOf(this.network));
    return Promise.resolve(
      [...this.members].map(([name, m]) => ({
        name, ready, uid: `uid-${name}`, addresses: [m.address], message: ready ? '' : 'container runtime network not ready', version: '1.37.2',
        unschedulable: m.unschedulable, labels: m.labels, taints: m.taints,
      })),
    ); // prettier-ignore
  }
  async node(name: string): Promise<ClusterNode | null> {
    return (await this.nodes()).find((n) => n.name === name) ?? null;
  }
  async get(ref: ObjectRef): Promise<KubeObject | null> {
    this.mustAnswer(`read ${keyOf(ref)}`);
    return Promise.resolve(this.objects.get(keyOf(ref)) ?? null);
  }
  async apply(objects: readonly KubeObject[]): Promise<void> {
    this.mustAnswer('apply');
    for (const o of objects) this.objects.set(keyOf(refOf(o)), structuredClone(o));
    return Promise.resolve();
  }
  async delete(ref: ObjectRef): Promise<void> {
    this.mustAnswer(`delete ${keyOf(ref)}`);
    this.objects.delete(keyOf(ref));
    return Promise.resolve();
  }
  async list({ kind, namespace }: { apiVersion: string; kind: string; namespace?: string }): Promise<KubeObject[]> {
    this.mustAnswer(`list each ${kind}`);
    const all = [...this.objects.values()].filter((o) => o.kind === kind && (namespace === undefined || o.metadata.namespace === namespace));
    return Promise.resolve(all.map((o) => structuredClone(o)));
  }
  async patch(object: KubeObject): Promise<void> {
    const found = await this.get(refOf(object));
    if (!found) throw new TaskError('cluster-api', `change ${keyOf(refOf(object))}: the API answered 404`, { remedy: 'make it first' });
    this.objects.set(keyOf(refOf(object)), merged(found, object) as KubeObject);
  }
  async patchNode(name: string, patch: Parameters<Cluster['patchNode']>[1]): Promise<void> {
    this.mustAnswer(`change node ${name}`);
    const m = this.members.get(name);
    if (!m) throw new TaskError('cluster-api', `change node ${name}: the API answered 404`, { remedy: 'wait for it to join' });
    Object.assign(m.labels, patch.labels ?? {});
    if (patch.taints) m.taints = patch.taints;
    if (patch.unschedulable !== undefined) m.unschedulable = patch.unschedulable;
    return Promise.resolve();
  }
  async rollout(ref: ObjectRef): Promise<{ complete: boolean; message: string }> {
    const found = await this.get(ref);
    if (!found) return { complete: false, message: 'not there yet' };
    const ready = (await this.nodes()).some((n) => n.ready) && !this.failing.has(keyOf(ref));
    return { complete: ready, message: ready ? 'complete' : '0 of 1 available' };
  }
  async signingRequests(): Promise<SigningRequest[]> {
    this.mustAnswer('list the certificate requests');
    return Promise.resolve([...this.requests.values()]);
  }
  async approve(name: string): Promise<void> {
    this.mustAnswer(`approve ${name}`);
    const request = this.requests.get(name);
    if (request?.pending) {
      request.pending = false;
      this.approved.push(request.commonName);
      request.issue();
    }
    return Promise.resolve();
  }
  async deny(name: string): Promise<void> {
    this.mustAnswer(`deny ${name}`);
    const request = this.requests.get(name);
    if (request) request.pending = false;
    return Promise.resolve();
  }
  async pods(): Promise<PodSummary[]> {
    this.mustAnswer('list the pods');
    return Promise.resolve([]);
  }
  /** What containers said last, by `namespace/pod/container`. */
  readonly said = new Map<string, string>();
  async logs({ namespace, pod, container }: Parameters<Cluster['logs']>[0]): Promise<string | null> {
    return Promise.resolve(this.said.get(`${namespace}/${pod}/${container}`) ?? null);
  }
  /** What services answer, by `namespace/service:port/path`. */
  readonly answers = new Map<string, { status: number; body: string }>();
  async http({ namespace, service, port, path }: Parameters<Cluster['http']>[0]): Promise<{ status: number; body: string } | null> {
    this.mustAnswer(`ask ${service}`);
    return Promise.resolve(this.answers.get(`${namespace}/${service}:${port}${path}`) ?? null);
  }
  async drain(node: string): Promise<void> {
    this.mustAnswer(`drain ${node}`);
    this.drained.push(node);
    return Promise.resolve();
  }
  async deleteNode(name: string): Promise<void> {
    this.mustAnswer(`delete node ${name}`);
    this.members.delete(name);
    return Promise.resolve();
  }
  /** etcd is gone, and everything in it. */
  forget(): void {
    for (const part of [this.objects, this.requests, this.members]) part.clear();
  }
  private mustAnswer(what: string): void {
    if (!this.up())
      throw new TaskError('cluster-unreachable', `${what}: the API of the cluster does not answer`, {
        remedy: 'see that the control plane is up',
        retry: true,
      });
  }
}
