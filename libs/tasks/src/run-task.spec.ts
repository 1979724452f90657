import type { Action } from '@strata/model';
import { z } from 'zod';
import { type Common, defineServerTask } from './define-task';
import { runTask } from './run-task';
import { TaskError } from './task-error';

const task = defineServerTask({
  name: 'test.cluster', version: 1, layer: 'orchestration', timeout: '1m', attempts: 1,
  title: 'Something of the cluster',
  input: z.strictObject({}),
  before: z.strictObject({}),
  output: z.strictObject({}),
  check: () => Promise.reject(new TaskError('no-kubeconfig', 'asked too early', { remedy: 'wait', retry: true, unknownUntil: 'step cluster/kubeconfig.keep' })),
  apply: () => Promise.resolve(),
  undo: { never: 'a test' },
}); // prettier-ignore
const common = {
  clock: { now: () => 0 },
  signal: new AbortController().signal,
  progress: () => undefined,
  log: () => undefined,
  secret: () => '',
} as unknown as Common;
const ended = (action: Action): ReturnType<typeof runTask> =>
  runTask(task, { action, input: {} }, { ports: {}, common, journal: { storedBefore: () => undefined, before: () => Promise.resolve() } });

test('what only a later step brings: a look says until when it is unknown, an apply fails with the cause', async () => {
  expect(await ended('check')).toMatchObject({ outcome: 'satisfied', result: { reason: 'unknown until step cluster/kubeconfig.keep' } });
  expect(await ended('run')).toMatchObject({ outcome: 'failed', result: { failure: { code: 'no-kubeconfig', message: 'asked too early', retry: true } } });
});
