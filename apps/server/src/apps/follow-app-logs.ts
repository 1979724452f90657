import { Inject, Injectable } from '@nestjs/common';
import { PodLogs } from '@strata/cluster';
import type { AppLogLine, AppLogQuery, AppRef } from '@strata/model';
import { TaskError } from '@strata/tasks';
import type { z } from 'zod';
import type { Response } from '../api/http';
import { clusterSilent, conflict, notFound } from '../api/problem';
import { ClusterEdges } from '../clusters/cluster-edges';
import { ShowClusters } from '../clusters/show-clusters';
import { Edges } from '../serve/edges';

const pingMs = 15_000;
const startAfterMs = 500; // an answer that has no line yet begins all the same

/** Streams what the containers of an application say, a JSON object a line; an empty line is only a sign of life. It ends when whoever asked goes. */
@Injectable()
export class FollowAppLogs {
  @Inject() private readonly edges!: Edges;
  @Inject() private readonly clusters!: ShowClusters;
  @Inject() private readonly reach!: ClusterEdges;

  /** Resolves when the stream is over. @throws ProblemError before it began */
  async run(idOrName: string, of: AppRef, how: { query: z.output<typeof AppLogQuery>; response: Response }): Promise<void> {
    const cluster = await this.clusters.running(idOrName);
    const { query, response } = how;
    const gone = new AbortController();
    const leave = (): void => gone.abort();
    response.once('close', leave);
    this.edges.stopping.addEventListener('abort', leave, { once: true });
    const begin = (): void => {
      if (response.headersSent) return;
      response.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store', 'x-accel-buffering': 'no' });
      response.flushHeaders();
    };
    const soon = setTimeout(begin, startAfterMs);
    const ping = setInterval(() => response.headersSent && response.write('\n'), pingMs);
    const line = async (l: AppLogLine): Promise<void> => {
      begin();
      if (!response.write(`${JSON.stringify(l)}\n`) && !gone.signal.aborted) await drained(response);
    };
    try {
      const wish = { follow: query.follow, previous: query.previous, container: query.container, sinceSeconds: query.since, tail: query.tail };
      await new PodLogs(await this.reach.kubeconfig(cluster.id)).read(of, wish, { line, signal: gone.signal });
      begin();
    } catch (error) {
      if (gone.signal.aborted) return;
      if (!response.headersSent) throw problemOf(error, of);
      response.write(`${JSON.stringify({ pod: of.name, container: null, text: error instanceof Error ? error.message : String(error) })}\n`);
    } finally {
      clearTimeout(soon);
      clearInterval(ping);
      this.edges.stopping.removeEventListener('abort', leave);
      if (response.headersSent) response.end();
    }
  } // prettier-ignore
}
function problemOf(error: unknown, of: AppRef): unknown {
  if (!(error instanceof TaskError)) return error;
  if (error.code === 'no-app') return notFound(`application ${of.name} in ${of.namespace}`, 'strata app list');
  if (error.code === 'no-container') return conflict(error.code, error.message, error.remedy);
  return clusterSilent(error);
}
const drained = (response: Response): Promise<void> =>
  new Promise((resolve) => {
    const over = (): void => {
      response.off('drain', over);
      response.off('close', over);
      resolve();
    };
    response.once('drain', over);
    response.once('close', over);
  });
