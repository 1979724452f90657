import { AdvanceRun } from './advance-run';
import { MemoryLedger, opening, planOf, settled, situationOf, stepOf } from './testing';

const plan = planOf([stepOf('n1/a'), stepOf('n1/b'), stepOf('n1/c', { needs: ['n1/a', 'n1/b'] })]);
async function begin(): Promise<{ ledger: MemoryLedger; advance: (ledger?: MemoryLedger) => AdvanceRun; cancelled: string[] }> {
  const ledger = new MemoryLedger(() => 0);
  const cancelled: string[] = [];
  ledger.begin('r1', 'c1');
  await ledger.add('r1', ...opening(plan));
  const advance = (): AdvanceRun =>
    new AdvanceRun({ ledger, situation: async (_, p) => situationOf(p), onCancelOrder: async (_, order) => void cancelled.push(order.step) });
  return { ledger, advance, cancelled };
}
const kinds = (ledger: MemoryLedger): string[] => ledger.all('r1').map((e) => `${e.kind} ${e.step ?? ''}`.trim());

describe('AdvanceRun', () => {
  it('releases nothing twice, however many poke, in one process or two', async () => {
    const { ledger, advance } = await begin();
    const [one, two] = [advance(), advance()];
    await Promise.all([one, two, one, one, two].map((a) => a.advance('r1')));
    expect(kinds(ledger).slice(2)).toEqual(['OrderReleased n1/a', 'OrderReleased n1/b']);
    expect(ledger.outbox.map((o) => o.orderId)).toEqual(['r1.n1_a.run', 'r1.n1_b.run']);
  });
  it('goes on from the ledger alone after a restart, to the end', async () => {
    const { ledger, advance } = await begin();
    for (let i = 0; i < 10; i++) {
      await advance().advance('r1');
      const order = ledger.outbox[0];
      if (order !== undefined) await ledger.add('r1', settled(order, 'changed', { before: {} }));
    }
    expect(kinds(ledger).slice(2)).toEqual([
      'OrderReleased n1/a', 'OrderReleased n1/b', 'OrderSettled n1/a', 'OrderSettled n1/b', 'OrderReleased n1/c', 'OrderSettled n1/c', 'RunEnded',
    ]); // prettier-ignore
    expect(ledger.outbox).toEqual([]);
    expect(await ledger.open()).toEqual([]);
  });
  it('answers a poke during an advance with an advance that sees what came before the poke', async () => {
    const { ledger, advance } = await begin();
    const run = advance();
    const first = run.advance('r1');
    await first;
    const slow = run.advance('r1');
    await ledger.add('r1', ...ledger.outbox.map((o) => settled(o, 'satisfied')));
    const after = await run.advance('r1');
    await slow;
    expect(after.view.steps.get('n1/c')?.state).toBe('released');
  });
  it('asks for the cancel of what is out until it has settled', async () => {
    const { ledger, advance, cancelled } = await begin();
    const run = advance();
    await run.advance('r1');
    await ledger.add('r1', { kind: 'CancelRequested', body: { by: 'x', reason: '' } });
    await run.advance('r1');
    expect(cancelled).toEqual(['n1/a', 'n1/b']);
    await ledger.add('r1', ...[...ledger.outbox].map((o) => settled(o, 'cancelled')));
    const { view, decision } = await run.advance('r1');
    expect(view).toMatchObject({ state: 'ended', result: 'cancelled' });
    expect(decision).toBeNull();
  });
  it('ends a run that was cancelled before it had a plan', async () => {
    const { ledger, advance } = await begin();
    ledger.begin('r2', 'c1');
    await ledger.add('r2', opening(plan)[0]!, { kind: 'CancelRequested', body: { by: 'x', reason: '' } });
    expect((await advance().advance('r2')).view.result).toBe('cancelled');
  });
  it('tells what it appended, and gives up on a ledger that refuses for ever', async () => {
    const { ledger } = await begin();
    const told: number[] = [];
    const parts = { ledger, situation: async () => situationOf(plan), onCancelOrder: async () => undefined };
    await new AdvanceRun({ ...parts, after: async (view, events) => void told.push(view.seq, events.length) }).advance('r1');
    expect(told).toEqual([4, 2]);
    await ledger.add('r1', ...[...ledger.outbox].map((o) => settled(o, 'satisfied')));
    ledger.append = async () => false;
    await expect(new AdvanceRun(parts).advance('r1')).rejects.toThrow('51 appends after event 6 were refused in a row');
  });
});
