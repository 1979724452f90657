import { ApiError, ConnectionError } from '@strata/api-client';
import type { Problem, RunResult } from '@strata/model';
import { describe as describeError, errorText, usage } from './cli-error';
import { exitCodeOf } from './follow/follow-run';

const problem = (rest: Partial<Problem>): ApiError =>
  new ApiError({ type: 'x', title: 'x', status: 409, detail: 'no', remedy: 'wait', code: 'x', ...rest }, 'POST /x');

test.each<[string, unknown, number]>([
  ['a wrong command', usage('x'), 2],
  ['a busy cluster', problem({ code: 'cluster-busy' }), 5],
  ['another refusal', problem({ status: 404 }), 1],
  ['a bad request', problem({ status: 422 }), 2],
  ['findings', problem({ status: 422, findings: [{ severity: 'blocker', code: 'x', message: 'm', remedy: 'r' }] }), 3],
  ['no server', new ConnectionError('refused', 'x', { remedy: 'strata up' }), 1],
  ['no answer in time', new ConnectionError('timeout', 'x', { remedy: '' }), 124],
  ['anything else', new Error('x'), 1],
])('%s ends with its exit code', (_name, error, code) => expect(describeError(error).exitCode).toBe(code));

test.each<[RunResult | null, number]>([
  ['done', 0], ['planned', 0], ['failed', 1], ['cancelled', 1], ['unwound', 1], ['refused', 3], ['degraded', 4], [null, 1],
])('a run that is %s ends with %i', (result, code) => expect(exitCodeOf(result)).toBe(code)); // prettier-ignore

test('an error says what is wrong, where, and what to do', () => {
  const error = problem({
    detail: 'two things',
    errors: [{ path: 'spec.x', message: 'is bad' }],
    findings: [{ severity: 'blocker', code: 'c', message: 'm', remedy: 'r', node: 'n1' }],
  });
  expect(errorText(error)).toBe('strata: two things\n  spec.x: is bad\n  blocker on n1: m (r)\n  what to do: wait');
});
