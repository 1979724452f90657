import { Injectable } from '@nestjs/common';
import type { RunDetails, RunPage, RunSummary, StepLog } from '@strata/model';
import type { RunRecord } from '@strata/store';
import { notFound } from '../api/problem';
import { ShowClusters } from '../clusters/show-clusters';
import { Edges } from '../serve/edges';
import { Situations } from './situations';

/** Runs as the API shows them. */
@Injectable()
export class ShowRuns {
  constructor(
    private readonly edges: Edges,
    private readonly clusters: ShowClusters,
    private readonly situations: Situations,
  ) {}

  async page(filter: { cluster?: string; cursor?: string; limit: number }): Promise<RunPage> {
    const clusterId = filter.cluster === undefined ? undefined : (await this.clusters.record(filter.cluster)).id;
    const { runs, next } = await this.edges.store.runs.list({ clusterId, cursor: filter.cursor, limit: filter.limit });
    const names = new Map((await this.edges.store.clusters.list()).map((c) => [c.id, c.name]));
    return { runs: runs.map((run) => summary(run, names.get(run.clusterId) ?? run.clusterId)), next };
  }

  /** A run with what is under way in it, what waits and why. @throws ProblemError 404 */
  async one(runId: string): Promise<RunDetails> {
    const run = await this.must(runId);
    const cluster = await this.edges.store.clusters.find(run.clusterId);
    const now = run.state === 'ended' ? { running: [], waits: [] } : await this.situations.now(runId);
    return { ...summary(run, cluster?.name ?? run.clusterId), ...now };
  }

  async log(runId: string, step: string, after: string | null): Promise<StepLog> {
    await this.must(runId);
    const { lines, next } = await this.edges.store.logs.read({ runId, stepKey: step, after: Number(after ?? 0) || 0 });
    if (lines.length === 0 && after === null) await this.mustHave(runId, step);
    return { lines: lines.map(({ id, attempt, at, stream, text }) => ({ id: String(id), attempt, at, stream, text })), next: String(next) };
  }

  /** A step that says nothing is no step that is not there. */
  private async mustHave(runId: string, step: string): Promise<void> {
    const plan = (await this.edges.ledger.read(runId)).find((e) => e.kind === 'RunPlanned')?.body.plan;
    if (plan === undefined || plan.steps.some((s) => s.key === step)) return;
    const near = plan.steps.map((s) => s.key).filter((key) => key.startsWith(`${step.split('/')[0] ?? ''}/`)); // prettier-ignore
    throw notFound(
      `step ${step} in run ${runId}`,
      near.length === 0 ? 'a step is NODE/TASK or cluster/TASK; see `strata runs watch`' : `name one of: ${near.join(', ')}`,
    );
  }

  private async must(runId: string): Promise<RunRecord> {
    const run = await this.edges.store.runs.find(runId);
    if (!run) throw notFound(`run ${runId}`, 'strata runs list');
    return run;
  }
}

const summary = (run: RunRecord, cluster: string): RunSummary => ({
  id: run.id,
  clusterId: run.clusterId,
  cluster,
  intent: run.intent,
  state: run.state,
  result: run.result,
  because: run.because,
  steps: run.steps,
  startedAt: run.startedAt.toISOString(),
  endedAt: run.endedAt?.toISOString() ?? null,
});
