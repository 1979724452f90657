import { Inject, Injectable } from '@nestjs/common';
import { Facts, type NodeView } from '@strata/model';
import type { NodeRecord } from '@strata/store';
import { notFound } from '../api/problem';
import { ShowClusters } from '../clusters/show-clusters';
import { Edges } from '../serve/edges';
import { MarkStorage } from '../storage/storage-marks';

/** Nodes as the API shows them. */
@Injectable()
export class ShowNodes {
  @Inject() private readonly storage!: MarkStorage;

  constructor(
    private readonly edges: Edges,
    private readonly clusters: ShowClusters,
  ) {}

  async all(cluster: string): Promise<NodeView[]> {
    const { id } = await this.clusters.record(cluster);
    return (await this.edges.store.nodes.list(id)).map((node) => this.view(node));
  }

  async one(cluster: string, name: string): Promise<NodeView> {
    return this.view(await this.record(cluster, name));
  }

  /** @throws ProblemError 404 */
  async record(cluster: string, name: string): Promise<NodeRecord> {
    const { id, name: clusterName } = await this.clusters.record(cluster);
    const found = await this.edges.store.nodes.named(id, name);
    if (!found) throw notFound(`node "${name}" in cluster "${clusterName}"`, `strata node list --cluster ${clusterName}`);
    return found;
  }

  private view(node: NodeRecord): NodeView {
    const session = this.edges.sessions.of(node.id);
    const facts = Facts.safeParse(node.facts).data;
    const seen = session ? new Date(session.lastSeen) : node.lastSeenAt;
    const { id, clusterId, name, role, address, state, agentVersion, skewMs } = node;
    return {
      ...{ id, clusterId, name, role, address, state, agentVersion, skewMs },
      online: session !== null,
      lastSeenAt: seen?.toISOString() ?? null,
      hostname: facts?.hostname ?? null,
      os: facts?.os.name ?? null,
      storage: this.storage.of(node.id),
    };
  }
}
