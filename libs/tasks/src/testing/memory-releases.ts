import type { ChartValues } from '@strata/model';
import { refOf } from '../orchestration/revision';
import type { KubeObject, ObjectRef } from '../ports/cluster';
import type { ReleaseRef, Releases, Revision } from '../ports/releases';
import { TaskError } from '../task-error';
import type { MemoryCluster } from './memory-cluster';

interface Kept extends Revision {
  objects: KubeObject[];
  at: number;
}
const keyOf = ({ release, namespace }: ReleaseRef): string => `${namespace}/${release}`;
const refKey = (o: KubeObject): string => `${o.kind}/${o.metadata.name}`;

/** Helm in memory: it keeps revisions, and puts what a chart makes into the cluster. */
export class MemoryReleases implements Releases {
  readonly kept = new Map<string, Kept[]>();
  /** What a chart makes of its values; one Deployment named after the release unless a test says otherwise. */
  render: (of: ReleaseRef, values: ChartValues) => KubeObject[] = ({ release, namespace }) => [
    { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: release, namespace } },
  ];
  /** Words with which Helm refuses the next upgrade; it leaves a failed revision, as the real one. */
  refuses: string | null = null;
  now = 0;

  constructor(private readonly cluster: MemoryCluster) {}

  newest(of: ReleaseRef): Promise<Revision | null> {
    const last = this.of(of).at(-1);
    return Promise.resolve(last ? { revision: last.revision, status: last.status, description: last.description } : null);
  }
  async upgrade(of: ReleaseRef, what: Parameters<Releases['upgrade']>[1]): Promise<void> {
    const refused = this.refuses;
    this.refuses = null;
    await this.add(of, this.render(of, what.values), { status: refused === null ? 'deployed' : 'failed', description: what.description });
    if (refused !== null) throw new TaskError('helm-failed', `helm upgrade ${of.release}: ${refused}`, { remedy: 'mend it' });
  }
  async rollback(of: ReleaseRef, revision: number): Promise<void> {
    const to = this.of(of).find((r) => r.revision === revision);
    if (!to) throw new TaskError('helm-failed', `helm rollback ${of.release}: release has no ${revision} version`, { remedy: 'see its history' });
    await this.add(of, to.objects, { status: 'deployed', description: `Rollback to ${revision}` });
  }
  async uninstall(of: ReleaseRef, _: unknown, { keep = [] }: { keep?: readonly string[] } = {}): Promise<void> {
    for (const object of this.of(of).at(-1)?.objects ?? [])
      if (!keep.includes(`${object.kind}/${object.metadata.name}`)) await this.cluster.delete(refOf(object));
    this.kept.delete(keyOf(of));
  }
  objects = (of: ReleaseRef): Promise<ObjectRef[]> => Promise.resolve((this.of(of).at(-1)?.objects ?? []).map(refOf));
  written(of: ReleaseRef, revision: number): Promise<{ at: number; version: string } | null> {
    const found = this.of(of).find((r) => r.revision === revision);
    return Promise.resolve(found ? { at: found.at, version: `${found.revision} ${found.status}` } : null);
  }

  private async add(of: ReleaseRef, objects: KubeObject[], { status, description }: { status: string; description: string }): Promise<void> {
    const all = this.of(of);
    for (const r of all) if (r.status === 'deployed' && status === 'deployed') r.status = 'superseded';
    const before = all.at(-1)?.objects ?? [];
    all.push({ revision: (all.at(-1)?.revision ?? 0) + 1, status, description, objects, at: this.now });
    this.kept.set(keyOf(of), all);
    for (const object of objects) await this.put(object);
    for (const object of before) if (!objects.some((o) => refKey(o) === refKey(object))) await this.drop(object);
  }
  /** As Helm does it: annotations of others stay. */
  private async put(object: KubeObject): Promise<void> {
    const annotations = { ...(await this.cluster.get(refOf(object)))?.metadata.annotations, ...object.metadata.annotations };
    await this.cluster.apply([Object.keys(annotations).length === 0 ? object : { ...object, metadata: { ...object.metadata, annotations } }]);
  }
  private async drop(object: KubeObject): Promise<void> {
    if ((await this.cluster.get(refOf(object)))?.metadata.annotations?.['helm.sh/resource-policy'] !== 'keep') await this.cluster.delete(refOf(object));
  }
  private of(of: ReleaseRef): Kept[] {
    return this.kept.get(keyOf(of)) ?? [];
  }
}
