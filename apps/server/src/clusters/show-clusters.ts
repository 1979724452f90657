import { Injectable } from '@nestjs/common';
import type { ClusterView } from '@strata/model';
import type { ClusterRecord } from '@strata/store';
import { conflict, noKubernetes, notFound } from '../api/problem';
import { Edges } from '../serve/edges';
import { migrationOf } from './migration-state';

/** Clusters as the API shows them. */
@Injectable()
export class ShowClusters {
  constructor(private readonly edges: Edges) {}

  /** The row behind an id or a name. @throws ProblemError 404 */
  async record(idOrName: string): Promise<ClusterRecord> {
    const found = await this.edges.store.clusters.find(idOrName);
    if (!found) throw notFound(`cluster "${idOrName}"`, 'see which there are with: strata cluster list');
    return found;
  }

  /** The same of a cluster that has a Kubernetes to ask. @throws ProblemError 404, 409 */
  async running(idOrName: string): Promise<ClusterRecord> {
    const cluster = await this.record(idOrName);
    if (cluster.kubeconfig === null) throw noKubernetes(cluster.name);
    return cluster;
  }

  async one(idOrName: string): Promise<ClusterView> {
    return this.view(await this.record(idOrName));
  }

  async all(): Promise<ClusterView[]> {
    return Promise.all((await this.edges.store.clusters.list()).map((c) => this.view(c)));
  }

  /** The admin kubeconfig, opened; who took it is audited. */
  async kubeconfig(idOrName: string, by: string): Promise<string> {
    const cluster = await this.record(idOrName);
    if (cluster.kubeconfig === null && cluster.state === 'uninstalled')
      throw conflict(
        'no-kubeconfig',
        `cluster "${cluster.name}" was uninstalled: there is no Kubernetes to speak to any more`,
        `install it again (strata apply -f SPEC), or forget it (strata cluster delete ${cluster.name})`,
      );
    if (cluster.kubeconfig === null)
      throw conflict(
        'no-kubeconfig',
        `cluster "${cluster.name}" has no kubeconfig yet`,
        'install it first (strata apply), or wait until its control plane is up',
      );
    await this.edges.store.audit.record({ by, action: 'kubeconfig.read', object: `cluster/${cluster.name}`, body: {} });
    return this.edges.keys.master.open(cluster.kubeconfig, kubeconfigContext(cluster.id)).toString('utf8');
  }

  private async view(cluster: ClusterRecord): Promise<ClusterView> {
    const { store } = this.edges;
    const spec = await store.clusters.spec(cluster.id, cluster.specVersion);
    if (!spec) throw new Error(`version ${cluster.specVersion} of the spec of cluster ${cluster.name} is not in the database; restore it from a backup`);
    const lease = await store.clusters.lease(cluster.id);
    const { id, name, specVersion, state } = cluster;
    const found = await migrationOf(store, id);
    const migration = found && { state: found.state, from: found.from, runId: found.runId, stopped: found.stopped };
    const openRun = lease?.runId ?? null;
    return { id, name, specVersion, spec, state, openRun, onlyPlanned: await this.onlyPlanned(cluster), migration, createdAt: cluster.createdAt.toISOString() };
  }

  /** A plan gives a cluster its name, and no more: nobody has to mean it while there is another one. */
  private async onlyPlanned({ id, state }: ClusterRecord): Promise<boolean> {
    const { store } = this.edges;
    if (state !== 'new' || (await store.runs.anyBeyondLooks(id))) return false;
    return !(await store.nodes.brief(id)).some((row) => row.state === 'enrolled');
  }
}

/** The place for which a cluster's kubeconfig is sealed. */
export const kubeconfigContext = (clusterId: string): string => `cluster/${clusterId}/kubeconfig`;
