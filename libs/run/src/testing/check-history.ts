import type { Plan, RunEvent } from '@strata/model';
import { advanceView, emptyView, foldAll, isInFlight } from '../fold';
import { graphOf } from '../graph';
import type { StepState, StepView } from '../view';
import type { OutboxEntry } from './memory-ledger';

const over: ReadonlySet<StepState> = new Set(['done', 'failed', 'undone', 'undo-failed']);

/** What must hold in the ledger of any run, whatever happened to it (QUALITY, invariants 2, 10 and 21). @throws Error naming the event that breaks it */
export function checkHistory(plan: Plan, events: readonly RunEvent[]): void {
  const graph = graphOf(plan);
  const view = emptyView(events[0]?.runId ?? '');
  events.forEach((event, i) => {
    const fault = (what: string): Error => new Error(`event ${event.seq} (${event.kind} ${event.step ?? ''}): ${what}`);
    if (event.seq !== i + 1) throw fault(`there is a hole ahead of it`);
    const before = event.step === null ? undefined : view.steps.get(event.step);
    const { cancelled, unwinding } = view;
    if (event.kind === 'OrderReleased' && cancelled) throw fault('released after a cancel');
    if (event.kind === 'OrderReleased' && !unwinding)
      for (const need of graph.steps.get(event.step ?? '')!.needs)
        if (view.steps.get(need)!.state !== 'done') throw fault(`released although ${need} is ${view.steps.get(need)!.state}`);
    if (event.kind === 'OrderReleased' && unwinding)
      for (const dependent of graph.dependents.get(event.step ?? '')!) {
        const there = view.steps.get(dependent)!;
        if (there.changed && there.state !== 'undone') throw fault(`taken back although ${dependent}, which needs it, is ${there.state}`);
      }
    advanceView(view, event);
    const after = event.step === null ? undefined : view.steps.get(event.step);
    if (before && after && goesBack(before, after)) throw fault(`goes from ${before.state} back to ${after.state} without a new attempt`);
    if (event.kind === 'RunEnded')
      for (const step of view.steps.values()) if (isInFlight(step)) throw fault(`the run ended while ${step.key} was ${step.state}`);
  });
  const half = Math.floor(events.length / 2);
  const resumed = foldAll(view.runId, events.slice(0, half));
  for (const event of events.slice(Math.max(0, half - 5))) advanceView(resumed, event);
  if (JSON.stringify([...resumed.steps]) !== JSON.stringify([...view.steps])) throw new Error('a reader that was cut off and resumed sees something else');
}
const goesBack = (before: StepView, after: StepView): boolean => {
  const progress = before.attempt === after.attempt && (after.progress?.fraction ?? 1) < (before.progress?.fraction ?? 0);
  return progress || (over.has(before.state) && !over.has(after.state) && after.state !== 'waiting' && after.attempt <= before.attempt);
};

/** The outbox is exactly what the ledger says is in flight, so a queue can be rebuilt from it at any moment (invariant 7). @throws Error naming the difference */
export function checkOutbox(runId: string, events: readonly RunEvent[], outbox: readonly OutboxEntry[]): void {
  const name = (o: { orderId: string | null; attempt: number; epoch: number }): string => `${o.orderId}#${o.attempt}#${o.epoch}`;
  const flying = [...foldAll(runId, events).steps.values()].filter(isInFlight).map(name).sort();
  const rows = outbox.filter((o) => o.runId === runId).map(name).sort(); // prettier-ignore
  if (flying.join() !== rows.join()) throw new Error(`in flight: ${flying.join()}; in the outbox: ${rows.join()}`);
}
