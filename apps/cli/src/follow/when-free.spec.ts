import { ApiError } from '@strata/api-client';
import { CliError } from '../cli-error';
import { whenFree } from './when-free';

const busy = (detail = 'run r1 (upgrade of shop/db) is at work on cluster "home"'): ApiError =>
  new ApiError({ type: 'x', title: 'busy', status: 409, detail, remedy: 'wait for it', code: 'cluster-busy' }, 'POST /v1/clusters/home/runs');
/** A start that meets these answers one after the other, and time that passes only by sleeping. */
function world(answers: (Error | string)[]) {
  let at = 0;
  const said: string[] = [];
  const start = (): Promise<string> => {
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer ?? '');
  };
  const waiting = { now: () => at, sleep: (ms: number) => Promise.resolve(void (at += ms)), say: (text: string) => void said.push(text) };
  return { start, waiting, said, now: () => at };
}

test('a busy cluster is waited for, and for what is said once', async () => {
  const w = world([busy(), busy(), busy('run r2 (stop of shop/web) is at work on cluster "home"'), 'started']);
  expect(await whenFree(w.start, w.waiting, 600_000)).toBe('started');
  expect(w.said).toEqual([
    'run r1 (upgrade of shop/db) is at work on cluster "home"; waiting until it is over',
    'run r2 (stop of shop/web) is at work on cluster "home"; waiting until it is over',
  ]);
});
test('without waiting it ends at once, as a busy cluster does', async () => {
  const w = world([busy()]);
  await expect(whenFree(w.start, w.waiting, 0)).rejects.toMatchObject({ code: 'cluster-busy' });
  expect([w.said, w.now()]).toEqual([[], 0]);
});
test('the deadline is kept to, and what it waited for is in the error', async () => {
  const w = world([busy()]);
  const error: unknown = await whenFree(w.start, w.waiting, 2_500).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(CliError);
  expect([(error as CliError).message, (error as CliError).what.exitCode, w.now()]).toEqual([expect.stringMatching(/^nothing was begun: run r1/), 124, 2_500]);
});
test('any other refusal is no reason to wait', async () => {
  const w = world([new Error('no server')]);
  await expect(whenFree(w.start, w.waiting, 1_000)).rejects.toThrow('no server');
});
