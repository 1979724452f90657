import type { NewEvent, Plan, RunEvent } from '@strata/model';
import { decide, type Decision } from './decide';
import { advanceView, emptyView } from './fold';
import type { Move, OrderName } from './moves';
import type { Ledger, Release, Situation } from './ports';
import type { RunView } from './view';

export interface AdvanceRunParts {
  ledger: Ledger;
  /** The world beside the ledger, fresh at each call. */
  situation: (runId: string, plan: Plan, view: RunView) => Promise<Situation>;
  /**
   * Makes an order that is in flight settle soon: tells the agent that holds it, or settles it as cancelled when nobody has begun it.
   * Called again at each advance until it settled, so it must be harmless to repeat.
   */
  onCancelOrder: (runId: string, order: OrderName, reason: string) => Promise<void>;
  /** After events were appended: to notify, to put rows behind the ledger. It may not advance the same run and wait for that. */
  after?: (view: RunView, events: readonly RunEvent[]) => Promise<void>;
}
export interface Advanced {
  /** When to advance again if nobody pokes before (ms). */
  wakeAt: number | null;
  view: RunView;
  /** The last decision; null while the run has no plan or when it has ended. */
  decision: Decision | null;
}

const mostLosses = 50; // appends lost to somebody else in a row: more is not a race but a fault

/**
 * Moves runs on: reads what is new, decides, appends with the sequence it expects. Any number of pokes at once release nothing twice,
 * within this process by taking turns, between processes by the expected sequence.
 */
export class AdvanceRun {
  private readonly views = new Map<string, RunView>();
  private readonly turns = new Map<string, { running: Promise<Advanced>; next: Promise<Advanced> | null }>();

  constructor(private readonly parts: AdvanceRunParts) {}

  /** Moves a run on as far as it can go now. A poke during an advance is answered by the one after it. @throws IllegalTransition if its ledger is broken */
  advance(runId: string): Promise<Advanced> {
    const turn = this.turns.get(runId);
    if (turn?.next) return turn.next;
    if (turn) return (turn.next = turn.running.then(ignore, ignore).then(() => this.begin(runId)));
    return this.begin(runId);
  }
  /** The view as the ledger says now. A copy that the caller may keep. */
  async view(runId: string): Promise<RunView> {
    const view = await this.catchUp(runId);
    return { ...view, steps: new Map(view.steps), absent: new Map(view.absent), findings: [...view.findings] };
  }
  /** Drops what is remembered of a run: the next advance reads its ledger from the beginning. */
  forget(runId: string): void {
    this.views.delete(runId);
  }

  private begin(runId: string): Promise<Advanced> {
    const running = this.loop(runId);
    const turn = { running, next: null as Promise<Advanced> | null };
    this.turns.set(runId, turn);
    const over = (): void => {
      if (this.turns.get(runId) === turn && turn.next === null) this.turns.delete(runId);
    };
    running.then(over, over);
    return running;
  }

  private async loop(runId: string): Promise<Advanced> {
    let losses = 0;
    for (;;) {
      const view = await this.catchUp(runId);
      const step = await this.decideOnce(view);
      if (step.events.length === 0) {
        for (const { order, reason } of step.cancels) await this.parts.onCancelOrder(runId, order, reason);
        if (view.state === 'ended') this.forget(runId);
        return { wakeAt: step.decision?.wakeAt ?? null, view, decision: view.state === 'ended' ? null : step.decision };
      }
      const written = await this.parts.ledger.append(runId, view.seq, { events: step.events, releases: step.releases });
      if (written === false) {
        losses += 1;
        if (losses > mostLosses)
          throw new Error(
            `run ${runId}: ${losses} appends after event ${view.seq} were refused in a row: its ledger holds events that this version cannot read`,
          );
        continue;
      }
      losses = 0;
      for (const event of written) this.take(view, event);
      await this.parts.after?.(view, written);
    }
  }

  private async decideOnce(
    view: RunView,
  ): Promise<{ events: NewEvent[]; releases: Release[]; cancels: { order: OrderName; reason: string }[]; decision: Decision | null }> {
    if (view.state === 'ended' || view.startedAt === null) return { events: [], releases: [], cancels: [], decision: null };
    if (view.plan === null) {
      const ended: NewEvent = { kind: 'RunEnded', body: { result: 'cancelled', because: `${view.because}; nothing was planned or changed` } };
      return { events: view.cancelled ? [ended] : [], releases: [], cancels: [], decision: null };
    }
    const decision = decide(view.plan, view, await this.parts.situation(view.runId, view.plan, view));
    return { ...eventsOf(decision.moves), decision };
  }

  private async catchUp(runId: string): Promise<RunView> {
    const known = this.views.get(runId);
    const fresh = await this.parts.ledger.read(runId, known?.seq ?? 0);
    // While the ledger was read, another call may have taken the same events in: folding ignores what it knows.
    let view = this.views.get(runId);
    if (view === undefined || view.seq < (known?.seq ?? 0)) this.views.set(runId, (view = known ?? emptyView(runId)));
    for (const event of fresh) this.take(view, event);
    return view;
  }
  private take(view: RunView, event: RunEvent): void {
    try {
      advanceView(view, event);
    } catch (error) {
      this.forget(view.runId);
      throw error;
    }
  }
}
const ignore = (): void => undefined;

/** The ledger's lines for moves, and the outbox rows that go with them. */
export function eventsOf(moves: readonly Move[]): { events: NewEvent[]; releases: Release[]; cancels: { order: OrderName; reason: string }[] } {
  const events: NewEvent[] = [];
  const releases: Release[] = [];
  const cancels: { order: OrderName; reason: string }[] = [];
  for (const move of moves) {
    if (move.kind === 'cancel') cancels.push(move);
    else events.push(eventOf(move));
    if (move.kind === 'release') releases.push(move.order);
  }
  return { events, releases, cancels };
}

function eventOf(move: Exclude<Move, { kind: 'cancel' }>): NewEvent {
  switch (move.kind) {
    case 'release': {
      const { step, node, orderId, attempt, epoch, action } = move.order;
      return { kind: 'OrderReleased', step, node, body: { orderId, attempt, epoch, action } };
    }
    case 'lost': {
      const { step, node, attempt, epoch, action } = move.order;
      const failure = {
        code: 'lost',
        message: move.because,
        remedy: 'look at the node; the step is tried again by itself while the run is open',
        cause: [],
        retry: true,
      };
      return { kind: 'OrderSettled', step, node, body: { attempt, epoch, action, outcome: 'lost', result: { findings: [], failure }, late: false } };
    }
    case 'absent':
      return { kind: 'NodeAbsent', node: move.node, body: { lastSeenMs: move.lastSeenMs, waitedMs: move.waitedMs } };
    case 'returned':
      return { kind: 'NodeReturned', node: move.node, body: {} };
    case 'hold':
      return { kind: 'RunHeld', body: { because: move.because } };
    case 'unwind':
      return { kind: 'UnwindStarted', body: { because: move.because } };
    case 'end':
      return { kind: 'RunEnded', body: { result: move.result, because: move.because } };
  }
}
