import { appendFileSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { OrderBody } from '@strata/model';
import { Journal } from './journal';

const body = (orderId: string, attempt = 1, epoch = 1): OrderBody => ({
  orderId, clusterId: 'c', runId: 'r', step: 'n1/kernel.sysctl', epoch, attempt, task: 'kernel.sysctl', version: 1, action: 'run', input: { a: { $secret: 'x' } },
  audience: 'n', nonce: 'x', issuedAtMs: 0, validForMs: 1000, timeoutMs: 1000,
}); // prettier-ignore
const file = (): string => join(mkdtempSync(join(tmpdir(), 'strata-journal-')), 'journal.jsonl');

test('a new life of the agent finds every order as it was', () => {
  const path = file();
  const first = Journal.open(path);
  first.accepted(body('a'));
  first.running('a');
  first.before('a', { was: 1 });
  first.accepted(body('b', 2, 7));
  first.settled('b', { outcome: 'changed', result: { findings: [] } });
  first.close();
  const second = Journal.open(path);
  expect(second.get('a')).toMatchObject({ state: 'running', before: { was: 1 }, attempt: 1 });
  expect(second.get('b')).toMatchObject({ state: 'settled', outcome: 'changed', acked: false, epoch: 7 });
  expect(second.highestEpoch).toBe(7);
  second.acked('b');
  second.close();
  expect(Journal.open(path).get('b')?.acked).toBe(true);
});
test('a line torn by a crash announced nothing; one torn in the middle is an error', () => {
  const path = file();
  const j = Journal.open(path);
  j.accepted(body('a'));
  j.close();
  appendFileSync(path, '{"seq":9,"kind":"sett');
  expect(Journal.open(path).get('a')?.state).toBe('accepted');
  writeFileSync(path, `{"seq":1,"kind"\n${readFileSync(path, 'utf8')}`);
  expect(() => Journal.open(path)).toThrow(/line 1 is damaged/);
});
test('a later attempt starts without the earlier one’s before', () => {
  const j = Journal.open(file());
  j.accepted(body('a'));
  j.before('a', 1);
  j.settled('a', { outcome: 'failed', result: { findings: [] } });
  expect(j.accepted(body('a', 2)).before).toBeUndefined();
});
