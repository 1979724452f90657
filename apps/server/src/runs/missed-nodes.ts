import { Inject, Injectable } from '@nestjs/common';
import type { RunIntent } from '@strata/model';
import type { RunView } from '@strata/run';
import type { ClusterRecord, RunRecord } from '@strata/store';
import { Edges } from '../serve/edges';
import { RunBook } from './run-book';

export const runsLookedAt = 50;

/** Which nodes of a cluster the last run of all its nodes, or one that added some since, had to leave out. */
@Injectable()
export class MissedNodes {
  @Inject() private readonly edges!: Edges;
  @Inject() private readonly book!: RunBook;

  /** Names of the nodes that were absent or could not be reached, and that no later run brought in. */
  async of(cluster: ClusterRecord): Promise<Set<string>> {
    return this.by(tellingRuns((await this.edges.store.runs.list({ clusterId: cluster.id, limit: runsLookedAt })).runs));
  }
  /** The same by the runs of one cluster that tell it, newest first. Reads the whole ledger of each that ended degraded. */
  async by(telling: readonly RunRecord[]): Promise<Set<string>> {
    const nodes = new Set<string>();
    for (const run of telling.toReversed()) {
      if (run.result === 'done') run.intent.nodes.forEach((name) => nodes.delete(name));
      if (run.result === 'degraded') for (const name of await this.leftOutBy(run.id)) nodes.add(name);
    }
    return nodes;
  }
  private async leftOutBy(runId: string): Promise<string[]> {
    const view = await this.book.view(runId);
    this.book.forget(runId);
    return [...(view.plan?.absent ?? []), ...view.absent.keys(), ...unreached(view)];
  }
}

/**
 * The runs that say which nodes are in, newest first: the newest one of all nodes, and those that added some since. One that only adds a node says
 * nothing of those that the last run of all nodes missed.
 */
export function tellingRuns<R extends Pick<RunRecord, 'intent' | 'result'>>(runs: readonly R[]): R[] {
  // A finish that was refused may have met a machine in mid-boot: what it was to finish is still owed, later.
  const whole = ({ until }: RunIntent): boolean => until === undefined || until === 'activate';
  const counts = (r: R): boolean => !r.intent.dryRun && whole(r.intent) && !(r.intent.kind === 'finish' && r.result === 'refused');
  const newestOfAll = runs.findIndex((r) => ['install', 'finish'].includes(r.intent.kind) && counts(r));
  const since = newestOfAll < 0 ? runs : runs.slice(0, newestOfAll + 1);
  return since.filter((r) => ['install', 'finish', 'add-node'].includes(r.intent.kind) && counts(r));
}

/** Nodes whose machine went away before its agent could be installed. */
const unreached = (view: RunView): string[] =>
  (view.plan?.steps ?? []).flatMap((s) => (s.task === 'agent.install' && s.node !== null && view.steps.get(s.key)?.state === 'failed' ? [s.node] : []));
