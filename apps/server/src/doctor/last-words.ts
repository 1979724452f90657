import { Injectable } from '@nestjs/common';
import type { Check } from '@strata/model';

/** What a node's agent said of its own machine before it fell silent. `at`: ms since 1970. */
export interface LastWords {
  /** What keeps it from its work, by its newest heartbeat; null when nothing did. */
  trouble: { words: string; at: number } | null;
  /** What its newest look found broken. */
  look: { broken: Check[]; at: number } | null;
}
const none: LastWords = { trouble: null, look: null };

/** The last findings of every agent, purely in memory: a diagnosis names them where the agent itself says nothing any more. */
@Injectable()
export class KeepLastWords {
  private readonly kept = new Map<string, LastWords>(); // by node id

  /** With each heartbeat: a node without trouble clears what it said before. */
  heard(nodeId: string, trouble: string | undefined, now: number): void {
    if (trouble === undefined && this.of(nodeId).trouble === null) return;
    this.kept.set(nodeId, { ...this.of(nodeId), trouble: trouble === undefined ? null : { words: trouble.slice(0, 500), at: now } });
  }
  looked(nodeId: string, checks: readonly Check[], now: number): void {
    const broken = checks.filter((c) => c.verdict === 'broken');
    this.kept.set(nodeId, { ...this.of(nodeId), look: broken.length === 0 ? null : { broken: broken.slice(0, 5), at: now } });
  }
  of(nodeId: string): LastWords {
    return this.kept.get(nodeId) ?? none;
  }
}
