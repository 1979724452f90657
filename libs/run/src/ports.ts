import type { Action, NewEvent, RunEvent } from '@strata/model';

/** An order that was released: the outbox row that goes with the event, written in the same transaction. */
export interface Release {
  orderId: string;
  step: string;
  action: Action;
  attempt: number;
  epoch: number;
  target: 'node' | 'server';
  node: string | null;
}
/** The truth (Postgres). */
export interface Ledger {
  /** All events of a run after `afterSeq`, in order. */
  read(runId: string, afterSeq?: number): Promise<RunEvent[]>;
  /**
   * Appends with sequences `expectedSeq + 1 …` and writes the releases to the outbox, in one transaction.
   * `false`: somebody else appended first; nothing was written.
   */
  append(runId: string, expectedSeq: number, batch: { events: readonly NewEvent[]; releases?: readonly Release[] }): Promise<RunEvent[] | false>;
  /** Runs that are not ended. */
  open(): Promise<{ runId: string; clusterId: string }[]>;
}
/** What decide sees of a node's session. */
export interface SessionState {
  connected: boolean;
  enrolled: boolean;
  /** When it was last heard, or when the run began if never (ms). */
  lastSeen: number;
  /** When its session opened (server clock, ms): an order begun before that and missing from `holds` is lost. Null while not connected. */
  openedAt: number | null;
  /** Attempts that the agent's last Hello, or an order sent since, still holds: `orderId` -> attempt. */
  holds: ReadonlyMap<string, number>;
}
/** The world beside the ledger, as decide needs it: gathered by the caller, so that decide stays pure. */
export interface Situation {
  now: number;
  sessions: ReadonlyMap<string, SessionState>; // by node name
  /** When this server began to listen: nobody is called absent for silence before that (a restarted server hears every agent again within seconds). */
  listeningSince: number;
  /**
   * Places of a pool that other runs leave to this one (this run's own orders in flight are counted by `decide`): a node's pool when `node` is given,
   * else the server's. Infinity: unlimited.
   */
  poolFree(pool: string, node: string | null): number;
  nodeWaitMs: number;
  onFailure: 'hold' | 'unwind';
  until?: string; // the last phase that may be released
}
export type { NewEvent, RunEvent };
