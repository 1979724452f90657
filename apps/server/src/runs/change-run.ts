import { Injectable } from '@nestjs/common';
import type { NewEvent } from '@strata/model';
import { cancelRun, NotPossible, resumeRun, retryStep, type RunView } from '@strata/run';
import { clusterBusy, notFound, ProblemError } from '../api/problem';
import { Edges } from '../serve/edges';
import { RunBook } from './run-book';

/** What an operator may tell a run: stop, go on, try that step again. */
@Injectable()
export class ChangeRun {
  constructor(
    private readonly edges: Edges,
    private readonly book: RunBook,
  ) {}

  /** Asks the run to stop. What is begun is asked to stop too; nothing new is released. Repeating it changes nothing. */
  async cancel(runId: string, by: string): Promise<void> {
    await this.change(runId, (view) => cancelRun(view, by, ''));
    await this.edges.store.audit.record({ by, action: 'run.cancel', object: `run/${runId}`, body: {} });
  }

  /** Opens a run again that ended before all was done, or is held, with a new epoch. @throws ProblemError 409 when there is nothing to resume, or another run has the lease. */
  async resume(runId: string, by: string): Promise<void> {
    const run = await this.edges.store.runs.find(runId);
    if (!run) throw notFound(`run ${runId}`, 'strata runs list');
    const now = await this.book.view(runId);
    inWords(() => resumeRun(now, by, now.epoch + 1));
    const epoch = await this.edges.store.transaction(async (work) => {
      const next = await work.epochs.next('run');
      const lease = await work.clusters.takeLease({ clusterId: run.clusterId, runId, epoch: next });
      if (!lease.taken) throw clusterBusy((await work.clusters.find(run.clusterId))?.name ?? run.clusterId, lease.holder.runId);
      await work.audit.record({ by, action: 'run.resume', object: `run/${runId}`, body: { epoch: next } });
      return next;
    });
    await this.change(runId, (view) => resumeRun(view, by, epoch));
  }

  /** Allows a failed step its attempts anew. */
  async retry(runId: string, step: string, by: string): Promise<void> {
    await this.change(runId, (view) => retryStep(view, step, by));
    await this.edges.store.audit.record({ by, action: 'step.retry', object: `run/${runId}`, body: { step } });
  }

  private async change(runId: string, make: (view: RunView) => NewEvent[]): Promise<void> {
    if (!(await this.edges.store.runs.find(runId))) throw notFound(`run ${runId}`, 'strata runs list');
    await this.book.record(runId, (view) => inWords(() => make(view)));
  }
}

function inWords<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof NotPossible)) throw error;
    throw new ProblemError(error.code === 'no-such-step' ? 404 : 409, error.code, {
      title: 'not possible now',
      detail: error.message,
      remedy: error.remedy,
      cause: error,
    });
  }
}
