import { Injectable } from '@nestjs/common';
import { clusterBusy, conflict } from '../api/problem';
import { Edges } from '../serve/edges';
import { ShowClusters } from './show-clusters';

/** Forgets a cluster, so that its name is free. What is on its machines is the business of an uninstall, which comes first. */
@Injectable()
export class DeleteCluster {
  constructor(
    private readonly edges: Edges,
    private readonly show: ShowClusters,
  ) {}

  /** With `force` also a cluster that still has nodes: their agents are refused from then on. @throws ProblemError 404, 409 */
  async run(idOrName: string, options: { force: boolean; by: string }): Promise<void> {
    const { store, sessions } = this.edges;
    const cluster = await this.show.record(idOrName);
    const lease = await store.clusters.lease(cluster.id);
    if (lease) throw clusterBusy(cluster.name, lease.runId);
    const nodes = await store.nodes.list(cluster.id);
    const enrolled = nodes.filter((n) => n.state === 'enrolled');
    if (enrolled.length > 0 && !options.force)
      throw conflict(
        'cluster-installed',
        `cluster "${cluster.name}" still has ${enrolled.length} node${enrolled.length === 1 ? '' : 's'}: ${enrolled.map((n) => n.name).join(', ')}`,
        `take it off its machines first: strata uninstall ${cluster.name}; or leave them as they are with --force`,
      );
    await store.transaction(async (s) => {
      for (const node of nodes) await s.nodes.tombstone(node.id, await s.epochs.next('node'));
      await s.clusters.remove(cluster.id);
      await s.audit.record({ by: options.by, action: 'cluster.delete', object: `cluster/${cluster.name}`, body: { force: options.force } });
    });
    for (const node of nodes) sessions.revoke(node.id, 'the cluster was deleted');
  }
}
