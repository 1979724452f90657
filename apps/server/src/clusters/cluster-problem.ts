import { TaskError } from '@strata/tasks';
import { clusterSilent, conflict, ProblemError } from '../api/problem';

/** What a look into a cluster failed with, as the API says it: what is not there, what does not fit, or that there is no answer. */
export function clusterProblem(error: unknown): unknown {
  if (!(error instanceof TaskError)) return error;
  const { code, message, remedy } = error;
  if (code === 'no-app' || code === 'no-pod') return new ProblemError(404, 'not-found', { title: 'not found', detail: message, remedy, cause: error });
  return code === 'no-container' ? conflict(code, message, remedy) : clusterSilent(error);
}
