import type { Finding, Problem, RunIntent } from '@strata/model';
import { intentWords } from '@strata/run';

/** An answer that says no: what is wrong, and what to do next. Becomes problem+json (RFC 9457). */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  constructor(
    readonly status: number,
    readonly code: string,
    readonly words: { title: string; detail: string; remedy: string; findings?: Finding[]; errors?: { path: string; message: string }[]; cause?: unknown },
  ) {
    super(words.detail, { cause: words.cause });
  }

  /** The body of the answer. */
  body(): Problem {
    const { title, detail, remedy, findings, errors } = this.words;
    return { type: `urn:strata:problem:${this.code}`, title, status: this.status, detail, remedy, code: this.code, findings, errors };
  }
}

/** There is no such thing. `seek` says how to see which there are. */
export const notFound = (what: string, seek: string): ProblemError =>
  new ProblemError(404, 'not-found', { title: 'not found', detail: `there is no ${what}`, remedy: seek });

/** The cluster's lease is with another run. `intent`: what that one is for; a `finish` nobody asked for. */
export const clusterBusy = (cluster: string, runId: string, intent?: RunIntent): ProblemError =>
  new ProblemError(409, 'cluster-busy', {
    title: 'the cluster is busy',
    detail: `run ${runId}${intent ? ` (${intentWords(intent)})` : ''} is at work on cluster "${cluster}"${intent?.kind === 'finish' ? ': Strata began it by itself, to finish nodes that an earlier run had to leave behind' : ''}`,
    remedy: `wait for it (strata runs watch ${runId}; apply and uninstall take --wait, app commands --wait DURATION), or stop it (strata runs cancel ${runId})`,
  });

/** What was asked does not fit the state that things are in. */
export const conflict = (code: string, detail: string, remedy: string): ProblemError =>
  new ProblemError(409, code, { title: 'not possible now', detail, remedy });

/** There is nobody to ask about what runs in a cluster. */
export const noKubernetes = (cluster: string): ProblemError =>
  conflict('no-kubeconfig', `cluster "${cluster}" has no Kubernetes yet, or no more`, 'install it first (strata apply), or wait until its control plane is up');
/** Its API gave no answer that could be used, in the words of whoever asked it. */
export const clusterSilent = (error: Error & { code: string; remedy: string }): ProblemError =>
  new ProblemError(503, error.code, { title: 'the cluster does not answer', detail: error.message, remedy: error.remedy, cause: error });
