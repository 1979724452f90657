import { setTimeout as sleep } from 'node:timers/promises';
import type { LedgerEvent } from './api';
import type { World } from './world';

/** Hears all of a run, through cut connections and servers that are away. */
export class RunWatch {
  readonly events: LedgerEvent[] = [];
  over = false;
  private readonly waiting = new Set<() => void>();
  private stopped = false;

  constructor(
    private readonly world: World,
    readonly runId: string,
  ) {}

  /** Resolves when the run is over; rejects when nothing could be heard for `silenceMs`. */
  async hearAll(silenceMs = 180_000): Promise<void> {
    let last = performance.now();
    while (!this.over && !this.stopped) {
      const known = this.events.length;
      const id = String(this.events.at(-1)?.seq ?? 0);
      try {
        const { over } = await this.world.server.api.followEvents(this.runId, { after: id, hear: ({ event }) => this.add(event) });
        this.over = over;
      } catch (cause) {
        if (performance.now() - last > silenceMs) throw new Error(`nothing heard of run ${this.runId} for ${silenceMs / 1000} s`, { cause });
        await sleep(100);
      }
      if (this.events.length > known) last = performance.now();
    }
    for (const look of this.waiting) look();
  }
  stop(): void {
    this.stopped = true;
  }
  /** The first event that fits, among those heard and those to come. @throws Error if the run is over, or the time, without one. */
  first(what: string, timeoutMs: number, fits: (event: LedgerEvent) => boolean): Promise<LedgerEvent> {
    return new Promise((resolve, reject) => {
      const end = (error?: Error): void => {
        clearTimeout(timer);
        this.waiting.delete(look);
        if (error) reject(error);
      };
      const look = (): void => {
        const found = this.events.find(fits);
        if (found) resolve(found);
        if (found || this.over) end(found ? undefined : new Error(`the run was over before: ${what}`));
      };
      const timer = setTimeout(() => end(new Error(`waited ${timeoutMs / 1000} s for: ${what}`)), timeoutMs);
      this.waiting.add(look);
      look();
    });
  }
  /** The start of a step. @throws Error if it does not come in two minutes */
  begins(step: string): Promise<LedgerEvent> {
    return this.first(`${step} to begin`, 120_000, (e) => e.kind === 'OrderStarted' && e.step === step);
  }
  /** Kills the agent of the node that a step is of, as soon as it begins. */
  async killAtStart(step: string): Promise<void> {
    await this.begins(step);
    await this.world.lab.must(step.split('/')[0] ?? '', ['systemctl', 'kill', '-s', 'KILL', 'stratad'], { timeoutMs: 60_000 });
  }
  /** Whether a step has settled for good. */
  settled(step: string): boolean {
    return this.events.some((e) => e.kind === 'OrderSettled' && e.step === step && ['changed', 'satisfied'].includes(String(e.body.outcome)));
  }
  private add(event: LedgerEvent): void {
    this.events.push(event);
    for (const look of [...this.waiting]) look();
  }
}
