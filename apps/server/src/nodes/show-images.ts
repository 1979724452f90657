import { Inject, Injectable } from '@nestjs/common';
import { type ImagesView, NodeImage } from '@strata/model';
import type { NodeRecord } from '@strata/store';
import { z } from 'zod';
import { ShowClusters } from '../clusters/show-clusters';
import { Edges } from '../serve/edges';
import { Asks } from '../sessions/asks';

const silenceMs = 12_000;

/** The images of every node, asked of all agents at once. Changes nothing. */
@Injectable()
export class ShowImages {
  @Inject() private readonly edges!: Edges;
  @Inject() private readonly clusters!: ShowClusters;
  @Inject() private readonly asks!: Asks;

  /** @throws ProblemError 404 */
  async run(idOrName: string): Promise<ImagesView> {
    const cluster = await this.clusters.record(idOrName);
    const rows = (await this.edges.store.nodes.list(cluster.id)).filter((r) => r.state === 'enrolled');
    return { cluster: cluster.name, nodes: await Promise.all(rows.map((row) => this.node(row))) };
  }

  private async node(row: NodeRecord): Promise<ImagesView['nodes'][number]> {
    const { name } = row;
    const session = await this.edges.sessions.soon(row, this.edges);
    if (!session) return { name, missing: 'its agent has no session', images: [] };
    try {
      return { name, missing: null, images: z.array(NodeImage).parse(await this.asks.ask(session, { what: 'images' }, silenceMs)) };
    } catch (error) {
      return { name, missing: error instanceof Error ? error.message : String(error), images: [] };
    }
  }
}
