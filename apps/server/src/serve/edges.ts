import type { ServerKeys } from '@strata/pki';
import type { Store } from '@strata/store';
import type { NoticingLedger } from '../runs/noticing-ledger';
import type { Sessions } from '../sessions/sessions';
import type { Settings } from '../settings';
import type { Log } from './log';

/** What the outside gives to the use cases: made once by `serve`, the same for all. Injected by this class as its token. */
export abstract class Edges {
  abstract readonly settings: Settings;
  abstract readonly log: Log;
  abstract readonly store: Store;
  abstract readonly ledger: NoticingLedger;
  abstract readonly keys: ServerKeys;
  abstract readonly sessions: Sessions;
  /** The number of this start of the server. */
  abstract readonly epoch: number;
  /** Fires when the server stops. */
  abstract readonly stopping: AbortSignal;
  /** Under which names and ports nodes may reach us. */
  abstract readonly reach: Reach;
  now(): number {
    return Date.now();
  }
}
export interface Reach {
  hosts: string[];
  /** Addresses that a node (by id) was seen to reach, tried first by its agent. */
  reachedAt: Map<string, string[]>;
  ports: { api: number; agents: number; enrollment: number; artifacts: number };
}
