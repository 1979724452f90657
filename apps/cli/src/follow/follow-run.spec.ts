import { jest } from '@jest/globals';
import { ConnectionError, type ApiClient, type FeedOptions } from '@strata/api-client';
import type { NewEvent, RunEvent } from '@strata/model';
import { paper } from '../testing/paper';
import { followRun } from './follow-run';

const make = (events: NewEvent[]): RunEvent[] =>
  events.map((e, i): RunEvent => ({ ...e, runId: 'r1', seq: i + 1, at: 1_000 * i, step: e.step ?? null, node: e.node ?? null }));
const requested: NewEvent = {
  kind: 'RunRequested',
  body: { intent: { kind: 'install', nodes: [], dryRun: false, force: false }, specVersion: 1, epoch: 1, by: 'ops' },
};
const finding = { severity: 'blocker' as const, code: 'port.taken', message: 'port 6443 is taken by nginx', remedy: 'stop it' };
const refused = make([
  requested,
  { kind: 'NodeChecked', node: 'n1', body: { findings: [finding], via: 'ssh', reachable: true, message: '' } },
  {
    kind: 'NodeChecked',
    node: 'n2',
    body: { findings: [{ ...finding, code: 'memory.low', message: 'too\u001b[2J little' }], via: 'ssh', reachable: true, message: '' },
  },
  { kind: 'RunEnded', body: { result: 'refused', because: 'nothing was changed: 2 findings' } },
]);
/** A server of these events; `open`: then it says nothing more until it is left. */
const client = (events: readonly RunEvent[], open = false): ApiClient =>
  ({
    async *follow(_id: string, options: FeedOptions) {
      yield* events;
      if (!open) return;
      await new Promise<void>((_, reject) => {
        const leave = (): void => reject(new ConnectionError('aborted', 'left', { remedy: '' }));
        if (options.signal?.aborted) leave();
        options.signal?.addEventListener('abort', leave);
      });
    },
  }) as unknown as ApiClient;

test('a refused run: every finding of every node, what to do, exit 3; no control character of theirs reaches the terminal', async () => {
  const sheet = paper();
  const { exitCode } = await followRun(client(refused), 'r1', { terminal: sheet.cli.terminal, options: { json: false } });
  expect(exitCode).toBe(3);
  const text = sheet.out.join('\n');
  expect(text).toContain('blocker on n1: port 6443 is taken by nginx [port.taken]\n    what to do: stop it');
  expect(text).toContain('refused after 3 s: nothing was changed: 2 findings');
  expect(text).toMatch(/blocker on n2: too \[2J little/);
  expect(text).not.toContain('\u001b');
});
test('as JSON: one event a line and nothing else', async () => {
  const sheet = paper();
  await followRun(client(refused), 'r1', { terminal: sheet.cli.terminal, options: { json: true } });
  expect(sheet.out.map((l) => (JSON.parse(l) as RunEvent).seq)).toEqual([1, 2, 3, 4]);
});
test('off a terminal, what is waited for is said although nothing happens', async () => {
  jest.useFakeTimers({ now: 20_000 });
  try {
    const sheet = paper();
    const left = followRun(client([refused[0]!], true), 'r1', { terminal: sheet.cli.terminal, options: { json: false, timeoutMs: 30_000 } });
    const ended = expect(left).rejects.toMatchObject({ what: { exitCode: 124 } });
    await jest.advanceTimersByTimeAsync(31_000);
    await ended;
    expect(sheet.out.filter((line) => line.includes('still: looking at the machines, since'))).toHaveLength(3);
  } finally {
    jest.useRealTimers();
  }
});
test('out of time: 124, and how to come back', async () => {
  const left = followRun(client([refused[0]!], true), 'r1', { terminal: paper().cli.terminal, options: { json: false, timeoutMs: 20 } });
  await expect(left).rejects.toMatchObject({ what: { exitCode: 124, remedy: 'watch it: strata runs watch r1; stop it: strata runs cancel r1' } });
});
test('Ctrl-C: 130, the run goes on', async () => {
  const left = followRun(client([refused[0]!], true), 'r1', { terminal: paper().cli.terminal, options: { json: false } });
  const expected = expect(left).rejects.toMatchObject({ message: 'left; run r1 goes on', what: { exitCode: 130 } });
  process.emit('SIGINT');
  await expected;
  expect(process.listenerCount('SIGINT')).toBe(0);
});
