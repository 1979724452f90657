import { Inject, Injectable } from '@nestjs/common';
import { Change, type NodeChanges } from '@strata/model';
import { z } from 'zod';
import { conflict } from '../api/problem';
import { ShowNodes } from '../nodes/show-nodes';
import { Edges } from '../serve/edges';
import { Asks } from '../sessions/asks';

const silenceMs = 15_000;

/** What Strata owns on a node, as its own journal knows it: what was there before never left that machine. */
@Injectable()
export class ShowChanges {
  @Inject() private readonly edges!: Edges;
  @Inject() private readonly nodes!: ShowNodes;
  @Inject() private readonly asks!: Asks;

  /** @throws ProblemError 404; 409 when its agent cannot be asked */
  async run(cluster: string, name: string): Promise<NodeChanges> {
    const row = await this.nodes.record(cluster, name);
    const session = await this.edges.sessions.soon(row, this.edges);
    const remedy = `run \`stratad changes\` on ${name} itself; what is wrong with it: strata doctor ${name}`;
    if (!session) throw conflict('node-offline', `the agent of "${name}" has no session, and only the node itself knows what was changed there`, remedy);
    try {
      return { node: name, changes: z.array(Change).parse(await this.asks.ask(session, { what: 'changes' }, silenceMs)) };
    } catch (error) {
      throw conflict('no-answer', error instanceof Error ? error.message : String(error), remedy);
    }
  }
}
