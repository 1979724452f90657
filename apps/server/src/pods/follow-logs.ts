import { Inject, Injectable } from '@nestjs/common';
import { type LogsOf, PodLogs } from '@strata/cluster';
import type { AppLogLine, AppLogQuery } from '@strata/model';
import type { z } from 'zod';
import type { Response } from '../api/http';
import { LiveAnswer } from '../api/live-answer';
import { ClusterEdges } from '../clusters/cluster-edges';
import { clusterProblem } from '../clusters/cluster-problem';
import { ShowClusters } from '../clusters/show-clusters';
import { Edges } from '../serve/edges';

const startAfterMs = 500; // an answer that has no line yet begins all the same

/** Streams what the containers of an application or a pod say, a JSON object a line; an empty line is only a sign of life. It ends when whoever asked goes. */
@Injectable()
export class FollowLogs {
  @Inject() private readonly edges!: Edges;
  @Inject() private readonly clusters!: ShowClusters;
  @Inject() private readonly reach!: ClusterEdges;

  /** Resolves when the stream is over. @throws ProblemError before it began */
  async run(idOrName: string, whose: LogsOf, { query, response }: { query: z.output<typeof AppLogQuery>; response: Response }): Promise<void> {
    const cluster = await this.clusters.running(idOrName);
    const answer = new LiveAnswer(response, { type: 'application/x-ndjson', stopping: this.edges.stopping });
    const soon = setTimeout(() => answer.begin(), startAfterMs);
    const line = async (l: AppLogLine): Promise<void> => {
      if (!answer.write(`${JSON.stringify(l)}\n`)) await answer.room();
    };
    try {
      const { since: sinceSeconds, ...wish } = query;
      await new PodLogs(await this.reach.kubeconfig(cluster.id)).read(whose, { ...wish, sinceSeconds }, { line, signal: answer.over });
      answer.begin();
    } catch (error) {
      if (answer.over.aborted) return;
      if (!answer.begun) throw clusterProblem(error);
      answer.write(`${JSON.stringify({ pod: whose.name, container: null, text: error instanceof Error ? error.message : String(error) })}\n`);
    } finally {
      clearTimeout(soon);
      answer.end();
    }
  }
}
