import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { OrderBody } from '@strata/model';
import { MemoryHost } from '@strata/tasks/testing';
import { FirstBefores } from './befores';
import { executeOrder } from './execute-order';
import { Journal } from './journal';

const file = '/etc/systemd/journald.conf.d/90-strata.conf';
const body = (action: 'run' | 'undo', runId: string, rest: Partial<OrderBody> = {}): OrderBody => ({
  orderId: `${runId}.${action}`, clusterId: 'c', runId, step: 'n1/journald.configure', epoch: 1, attempt: 1, task: 'journald.configure', version: 1, action,
  input: { maxUseMb: 500 }, audience: 'n', nonce: 'x', issuedAtMs: 0, validForMs: 1000, timeoutMs: 10_000, ...rest,
}); // prettier-ignore

/** An agent whose machine was changed by run r1; `order` is carried out after that. */
async function afterInstall(order: OrderBody): Promise<{ outcome: string | undefined; there: boolean; kept: boolean }> {
  const dir = mkdtempSync(join(tmpdir(), 'strata-undo-'));
  const journal = Journal.open(join(dir, 'journal.jsonl'));
  const befores = new FirstBefores(join(dir, 'befores'));
  const host = new MemoryHost();
  host.units.seed('systemd-journald.service', { active: true, enabled: true });
  const parts = { journal, befores, host: () => host, boxKey: Buffer.alloc(0), progress: () => undefined, log: () => undefined };
  const signal = new AbortController().signal;
  const run = (what: OrderBody) => executeOrder(journal.accepted(what), new Map(), { ...parts, signal });
  expect((await run(body('run', 'r1'))).outcome).toBe('changed');
  const { outcome } = await run(order);
  return { outcome, there: (await host.files.read(file)) !== null, kept: (await befores.get(order.step)) !== undefined };
}

test('an uninstall goes back to what the first run found', async () => {
  expect(await afterInstall(body('undo', 'r9'))).toEqual({ outcome: 'changed', there: false, kept: false });
});
test('an unwind whose run the ledger knows nothing of leaves alone what an earlier run did', async () => {
  expect(await afterInstall(body('undo', 'r2', { before: null }))).toEqual({ outcome: 'satisfied', there: true, kept: true });
});
test('an unwind takes back what its own run did, also when its outcome was lost on the way', async () => {
  expect(await afterInstall(body('undo', 'r1', { before: null }))).toEqual({ outcome: 'changed', there: false, kept: false });
});
