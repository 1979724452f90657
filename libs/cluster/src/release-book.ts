import type { V1ObjectMeta } from '@kubernetes/client-node';
import { type KubeObject, noteLabels, noteOf, type ReleaseNote, releaseOfNote, stoppedNote } from '@strata/tasks';
import { Connection, must } from './connection';
import { HelmRecords } from './helm-record';
import { rolloutOf, type Workload } from './rollout';

/** One revision, as Helm's own record of it says. */
export interface SeenRevision {
  revision: number;
  status: string;
  at: number; // when it was written last; ms since 1970
  record: { name: string; version: string }; // the Secret that says so
}
export interface SeenWorkload {
  apiVersion: string;
  kind: string;
  name: string;
  /** What is missing for it to work; null: nothing. */
  missing: string | null;
  /** Since when it is stopped by us; null: it is not. */
  stoppedAt: number | null;
}
/** A release as the cluster itself tells of it. */
export interface SeenRelease {
  name: string;
  namespace: string;
  revisions: SeenRevision[]; // oldest first, one at least
  note: ReleaseNote;
  workloads: SeenWorkload[];
}
const kinds = [['apps/v1', 'Deployment'], ['apps/v1', 'StatefulSet'], ['apps/v1', 'DaemonSet'], ['batch/v1', 'CronJob']] as const; // prettier-ignore
const keyOf = (namespace = 'default', name = ''): string => `${namespace}/${name}`;

/** What is released in a cluster, by Helm's own records, our notes beside them, and the workloads. Of what the records hold, which is much, only the newest are read, and each once. */
export class ReleaseBook {
  private readonly connection: Connection;
  private readonly records: HelmRecords;

  constructor(kubeconfig: string) {
    this.connection = new Connection(kubeconfig);
    this.records = new HelmRecords(this.connection);
  }

  /** `of`: only this one. @throws TaskError when the API does not answer */
  async look(of?: { namespace: string; name: string }): Promise<SeenRelease[]> {
    const releases = await this.released(of);
    if (releases.size > 0) await this.addWorkloads(releases, of?.namespace);
    for (const r of releases.values()) await this.addLost(r);
    return [...releases.values()].sort((a, b) => keyOf(a.namespace, a.name).localeCompare(keyOf(b.namespace, b.name)));
  }
  /** The notes of all releases that are there: two questions to the API, where a look is six. @throws TaskError when it does not answer */
  async notes(): Promise<ReleaseNote[]> {
    return [...(await this.released()).values()].map((r) => r.note);
  }

  private async released(of?: { namespace: string; name: string }): Promise<Map<string, SeenRelease>> {
    const records = await this.connection.heads(of ? `/api/v1/namespaces/${of.namespace}/secrets?labelSelector=owner%3Dhelm%2Cname%3D${of.name}` : '/api/v1/secrets?labelSelector=owner%3Dhelm');
    const releases = new Map<string, SeenRelease>();
    for (const m of records) {
      const { name, version, status = 'unknown' } = m.labels ?? {};
      if (name === undefined || m.namespace === undefined) continue;
      const key = keyOf(m.namespace, name);
      const known = releases.get(key) ?? { name, namespace: m.namespace, revisions: [], note: noteOf(null), workloads: [] };
      known.revisions.push({ revision: Number(version), status, at: writtenAt(m), record: { name: m.name ?? '', version: m.resourceVersion ?? '' } });
      releases.set(key, known);
    }
    if (releases.size > 0) await this.addNotes(releases, of?.namespace);
    for (const r of releases.values()) r.revisions.sort((a, b) => a.revision - b.revision);
    return releases;
  } // prettier-ignore

  private async addNotes(releases: ReadonlyMap<string, SeenRelease>, namespace: string | undefined): Promise<void> {
    const labelSelector = Object.entries(noteLabels).map(([k, v]) => `${k}=${v}`).join(','); // prettier-ignore
    const { core } = this.connection;
    const { items } = await must('list the notes of releases', () => (namespace === undefined ? core.listConfigMapForAllNamespaces({ labelSelector }) : core.listNamespacedConfigMap({ namespace, labelSelector })));
    for (const item of items) {
      const name = releaseOfNote(item.metadata?.name ?? '');
      const release = name === null ? undefined : releases.get(keyOf(item.metadata?.namespace, name));
      if (release) release.note = noteOf(item as unknown as KubeObject);
    }
  } // prettier-ignore
  private async addWorkloads(releases: ReadonlyMap<string, SeenRelease>, namespace: string | undefined): Promise<void> {
    for (const [apiVersion, kind] of kinds) {
      const { items } = await must(`list each ${kind}`, () => this.connection.objects.list(apiVersion, kind, namespace));
      for (const o of items) {
        const { annotations = {}, name = '' } = o.metadata ?? {};
        const release = releases.get(keyOf(annotations['meta.helm.sh/release-namespace'], annotations['meta.helm.sh/release-name']));
        release?.workloads.push({ apiVersion, kind, name, ...stateOf({ ...o, kind } as unknown as KubeObject) });
      }
    }
  }
  /** What the newest revision consists of, and somebody took away. Of one that Helm is at, or failed with, nothing is expected. */
  private async addLost({ namespace, revisions, workloads }: SeenRelease): Promise<void> {
    const newest = revisions.at(-1);
    if (newest?.status !== 'deployed') return;
    const record = await this.records.at(namespace, newest.record).catch(() => null); // all else of it is told all the same
    const ours = (record?.objects ?? []).filter((o) => kinds.some(([, k]) => k === o.kind) && (o.namespace ?? namespace) === namespace);
    for (const { apiVersion, kind, name } of ours)
      if (!workloads.some((w) => w.kind === kind && w.name === name)) workloads.push({ apiVersion, kind, name, missing: 'it is not there', stoppedAt: null });
  }
}
const writtenAt = (m: V1ObjectMeta): number => {
  const seconds = Number(m.labels?.['modifiedAt'] ?? m.labels?.['createdAt'] ?? 0);
  return Math.max(seconds * 1000, new Date(m.creationTimestamp ?? 0).getTime());
};
function stateOf(o: KubeObject): Pick<SeenWorkload, 'missing' | 'stoppedAt'> {
  const stopped = stoppedNote(o);
  if (stopped !== null || o.kind === 'CronJob') return { missing: null, stoppedAt: stopped?.at ?? null };
  const { complete, message } = rolloutOf(o as Workload);
  return { missing: complete ? null : message, stoppedAt: null };
}
