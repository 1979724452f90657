import { appendFileSync, mkdtempSync, openSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { OrderBody } from '@strata/model';
import { whenThereIsSpace } from './execute-order';
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
test('a later attempt goes back to what the first one found, also in a new life; not after an undo', () => {
  const path = file();
  const first = Journal.open(path);
  first.accepted(body('a'));
  first.before('a', { was: 1 });
  first.settled('a', { outcome: 'failed', result: { findings: [] } });
  expect(first.accepted(body('a', 2))).toMatchObject({ state: 'accepted', attempt: 2, before: { was: 1 } });
  first.close();
  const second = Journal.open(path);
  expect(second.get('a')).toMatchObject({ state: 'accepted', attempt: 2, before: { was: 1 } });
  second.settled('a', { outcome: 'failed', result: { findings: [] } });
  second.accepted({ ...body('a/undo'), action: 'undo' });
  second.settled('a/undo', { outcome: 'changed', result: { findings: [] } });
  expect(second.accepted(body('a', 3)).before).toBeUndefined();
});
describe('a disk without space', () => {
  const full = '/dev/full'; // the kernel's own: whoever writes there gets ENOSPC
  test('the journal opens as it lies there, knows every order, and goes on once there is space', () => {
    const path = file();
    const first = Journal.open(path);
    first.accepted(body('a'));
    first.close();
    appendFileSync(path, '{"seq":9,"kind":"sett');
    symlinkSync(full, `${path}.new`); // where it would be rewritten
    const second = Journal.open(path);
    expect(second.fullAtOpen?.message).toMatch(/ENOSPC/);
    expect(second.get('a')?.state).toBe('accepted');
    second.running('a'); // the torn line is away, so that this one is whole
    second.close();
    const third = Journal.open(path);
    expect([third.fullAtOpen, third.get('a')?.state]).toEqual([null, 'running']);
  });
  test('a write names the journal, ENOSPC and the remedy; an ack is not worth a failure', () => {
    const journal = Journal.open(file());
    journal.accepted(body('a'));
    Object.assign(journal, { fd: openSync(full, 'a') });
    expect(() => journal.running('a')).toThrow(/^the journal .*journal\.jsonl could not be written: ENOSPC.*free space on it/);
    expect(journal.get('a')?.state).toBe('accepted');
    expect(journal.acked('a').acked).toBe(true);
  });
  test('an order whose end cannot be written waits for space, and says so', async () => {
    const journal = Journal.open(file());
    journal.accepted(body('a'));
    const good = (journal as unknown as { fd: number }).fd;
    Object.assign(journal, { fd: openSync(full, 'a') });
    const said: string[] = [];
    const progress = (_: number | null, note: string): void => {
      said.push(note);
      if (said.length === 2) Object.assign(journal, { fd: good }); // somebody makes room
    };
    const settled = await whenThereIsSpace(() => journal.settled('a', { outcome: 'changed', result: { findings: [] } }), {
      progress,
      log: () => undefined,
      lookMs: 1,
    });
    expect(settled.outcome).toBe('changed');
    expect(said[0]).toMatch(/^waiting for space: the journal .* ENOSPC/);
    await expect(whenThereIsSpace(() => { throw new Error('else'); }, { progress, log: () => undefined })).rejects.toThrow('else'); // prettier-ignore
  });
});
