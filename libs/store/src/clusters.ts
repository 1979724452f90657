import { type ClusterSpec, canonicalJson, KeptClusterSpec, type NodeSpec } from '@strata/model';
import { jsonColumn, type Db, type Sql } from './db';
import type { ClusterModel } from './gen/models';

export type ClusterState = 'new' | 'installing' | 'ready' | 'degraded' | 'failed' | 'uninstalled';
export interface ClusterRecord {
  id: string;
  name: string;
  state: ClusterState;
  specVersion: number;
  initialized: boolean;
  kubeconfig: string | null; // sealed
  createdAt: Date;
}
export interface LeaseRecord {
  clusterId: string;
  runId: string;
  epoch: number;
}
const record = ({ id, name, state, specVersion, initialized, kubeconfig, createdAt }: ClusterModel): ClusterRecord => ({
  id,
  name,
  state: state as ClusterState,
  specVersion,
  initialized,
  kubeconfig,
  createdAt,
});
/** The next version of a cluster's spec; drafts have numbers too. */
const nextVersion = async (sql: Sql, clusterId: string): Promise<number> =>
  ((await sql.clusterSpecVersion.aggregate({ where: { clusterId }, _max: { version: true } }))._max.version ?? 0) + 1;
const isId = (text: string): boolean => /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i.test(text);

/** Clusters, the versions of their specs, and who may change them now. */
export class Clusters {
  constructor(private readonly db: Db) {}

  /**
   * Keeps a spec under its `metadata.name`: a new cluster (with `id`), a new version, or, when nothing changed, the version that is there.
   * `changed` is false only in the last case.
   */
  keepSpec({ id, spec, by }: { id: string; spec: ClusterSpec; by: string }): Promise<{ cluster: ClusterRecord; created: boolean; changed: boolean }> {
    return this.db.atomic(async (sql) => {
      const name = spec.metadata.name;
      await sql.$queryRaw`SELECT pg_advisory_xact_lock(hashtext('cluster-name'), hashtext(${name}))::text`;
      const found = await sql.cluster.findFirst({ where: { name, deletedAt: null } });
      if (found) {
        const last = await sql.clusterSpecVersion.findUnique({ where: { clusterId_version: { clusterId: found.id, version: found.specVersion } } });
        if (last && canonicalJson(last.spec) === canonicalJson(jsonColumn(spec))) return { cluster: record(found), created: false, changed: false };
      }
      const version = found ? await nextVersion(sql, found.id) : 1;
      const cluster = found
        ? await sql.cluster.update({ where: { id: found.id }, data: { specVersion: version } })
        : await sql.cluster.create({ data: { id, name, specVersion: version } });
      await sql.clusterSpecVersion.create({ data: { clusterId: cluster.id, version, spec: jsonColumn(spec), by } });
      return { cluster: record(cluster), created: !found, changed: true };
    });
  }

  /** Keeps a spec as a version that only a dry run looks at: the cluster's own stays what it was. Gives its number. */
  keepDraft({ clusterId, spec, by }: { clusterId: string; spec: ClusterSpec; by: string }): Promise<number> {
    return this.db.atomic(async (sql) => {
      await sql.$queryRaw`SELECT pg_advisory_xact_lock(hashtext('cluster-name'), hashtext(${spec.metadata.name}))::text`;
      const version = await nextVersion(sql, clusterId);
      await sql.clusterSpecVersion.create({ data: { clusterId, version, spec: jsonColumn(spec), by } });
      return version;
    });
  }

  /** What the newest spec that named them said of nodes that the spec of `before` does not name any more. */
  async formerNodes(clusterId: string, before: number, names: readonly string[]): Promise<NodeSpec[]> {
    const found = new Map<string, NodeSpec>();
    for (let version = before; version > 0 && found.size < names.length; version -= 1)
      for (const node of (await this.spec(clusterId, version))?.spec.nodes ?? [])
        if (names.includes(node.name) && !found.has(node.name)) found.set(node.name, node);
    return [...found.values()];
  }

  /** A live cluster by id or name. */
  async find(idOrName: string): Promise<ClusterRecord | null> {
    const where = isId(idOrName) ? { id: idOrName, deletedAt: null } : { name: idOrName, deletedAt: null };
    const found = await this.db.run((sql) => sql.cluster.findFirst({ where }));
    return found && record(found);
  }

  async list(): Promise<ClusterRecord[]> {
    return (await this.db.run((sql) => sql.cluster.findMany({ where: { deletedAt: null }, orderBy: { createdAt: 'asc' } }))).map(record);
  }

  /** The spec of one version; null when there is none. Throws a ZodError when what is stored is no spec. */
  async spec(clusterId: string, version: number): Promise<ClusterSpec | null> {
    const found = await this.db.run((sql) => sql.clusterSpecVersion.findUnique({ where: { clusterId_version: { clusterId, version } } }));
    return found && KeptClusterSpec.parse(found.spec);
  }

  async setState(clusterId: string, state: ClusterState): Promise<void> {
    await this.db.run((sql) => sql.cluster.update({ where: { id: clusterId }, data: { state } }));
  }

  /** Marks the cluster as having its first control plane. True for the one caller that did it: an init happens once, ever. */
  async claimInitialization(clusterId: string): Promise<boolean> {
    const { count } = await this.db.run((sql) => sql.cluster.updateMany({ where: { id: clusterId, initialized: false }, data: { initialized: true } }));
    return count === 1;
  }

  /** After an uninstall the cluster may be made anew. */
  async forgetInitialization(clusterId: string): Promise<void> {
    await this.db.run((sql) =>
      sql.cluster.update({ where: { id: clusterId }, data: { initialized: false, kubeconfig: null, bucketKey: null, metadataPassword: null } }),
    );
  }

  /** The sealed key of a bucket that somebody else runs; null while none was given. */
  async bucketKey(clusterId: string): Promise<string | null> {
    return (await this.db.run((sql) => sql.cluster.findUnique({ where: { id: clusterId }, select: { bucketKey: true } })))?.bucketKey ?? null;
  }
  async keepBucketKey(clusterId: string, sealed: string): Promise<void> {
    await this.db.run((sql) => sql.cluster.update({ where: { id: clusterId }, data: { bucketKey: sealed } }));
  }

  /** The sealed password of metadata that somebody else runs; null while none was given. */
  async metadataPassword(clusterId: string): Promise<string | null> {
    const found = await this.db.run((sql) => sql.cluster.findUnique({ where: { id: clusterId }, select: { metadataPassword: true } }));
    return found?.metadataPassword ?? null;
  }
  async keepMetadataPassword(clusterId: string, sealed: string): Promise<void> {
    await this.db.run((sql) => sql.cluster.update({ where: { id: clusterId }, data: { metadataPassword: sealed } }));
  }

  async keepKubeconfig(clusterId: string, sealed: string | null): Promise<void> {
    await this.db.run((sql) => sql.cluster.update({ where: { id: clusterId }, data: { kubeconfig: sealed } }));
  }

  /** Hides the cluster; its name is free again, its runs stay readable. */
  async remove(clusterId: string): Promise<void> {
    await this.db.run((sql) => sql.cluster.update({ where: { id: clusterId }, data: { deletedAt: new Date(), bucketKey: null, metadataPassword: null } }));
  }

  /** Takes the right to change the cluster. Without success: who has it. The same run may take it again (with a newer epoch). */
  takeLease(lease: LeaseRecord): Promise<{ taken: true } | { taken: false; holder: LeaseRecord }> {
    return this.db.atomic(async (sql) => {
      await sql.clusterLease.createMany({ data: [lease], skipDuplicates: true });
      const holder = await readLease(sql, lease.clusterId);
      if (!holder || holder.runId !== lease.runId) return { taken: false, holder: holder ?? lease };
      if (holder.epoch < lease.epoch) await sql.clusterLease.update({ where: { clusterId: lease.clusterId }, data: { epoch: lease.epoch } });
      return { taken: true };
    });
  }

  async releaseLease(runId: string): Promise<void> {
    await this.db.run((sql) => sql.clusterLease.deleteMany({ where: { runId } }));
  }

  lease(clusterId: string): Promise<LeaseRecord | null> {
    return this.db.run((sql) => readLease(sql, clusterId));
  }
}

async function readLease(sql: Sql, clusterId: string): Promise<LeaseRecord | null> {
  const found = await sql.clusterLease.findUnique({ where: { clusterId } });
  return found && { clusterId, runId: found.runId, epoch: found.epoch };
}
