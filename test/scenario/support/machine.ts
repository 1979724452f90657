import { AsyncLocalStorage } from 'node:async_hooks';
import { type Clock } from '@strata/tasks';
import { MemoryHost, simulateKubernetes } from '@strata/tasks/testing';
import type { SimulatedCluster } from './simulated-cluster';

/** A promise that never comes back: what a dead process awaits. */
export const forever = <T>(): Promise<T> => new Promise<T>(() => undefined);

/** Who makes a change: an order in the hands of one life of an agent. */
export interface Hand {
  orderId: string;
  step: string;
  alive: () => boolean;
}
export interface Change {
  what: string;
  step: string;
  orderId: string;
}

/** A clock that runs twenty times faster than the wall: a task that polls every second does so every 50 ms. */
export function fastClock(): Clock {
  let ahead = 0;
  return {
    now: () => Date.now() + ahead,
    sleep: async (ms, signal) => {
      signal?.throwIfAborted();
      const real = Math.min(ms, Math.max(5, ms / 20));
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(resolve, real);
        signal?.addEventListener('abort', () => (clearTimeout(timer), reject(signal.reason as Error)), { once: true });
      });
      ahead += ms - real;
    },
  };
}

/** What only looks, though a memory machine counts every program as a change. */
const looks = /^programs\.run (.* --version|date .*|sshd -.*|nft (-[aj] )?list .*|systemctl is-active .*)$/;

/** A machine in memory that outlives its agents, and the witness of all that is ever done to it. */
export class Machine {
  readonly host: MemoryHost;
  /** Every change, in order: what a second effect would show in. */
  readonly changes: Change[] = [];
  /** Called ahead of each change, in the hands of the order that makes it; throwing makes the change fail. */
  onChange: (change: Change) => void = () => undefined;
  private readonly hands = new AsyncLocalStorage<Hand>();

  constructor(
    readonly name: string,
    readonly address: string,
    cluster: SimulatedCluster,
  ) {
    this.host = new MemoryHost(name, address);
    this.host.baseFacts.machineId = `machine-${name}-${cluster.mark}`;
    this.host.clock = { now: () => Date.now(), sleep: forever };
    simulateKubernetes(this.host, cluster.kube, { name, address });
    const run = this.host.effects.run.bind(this.host.effects);
    this.host.effects.run = async (what, change) => {
      const hand = this.hands.getStore();
      if (!hand) return run(what, change); // the machine itself
      if (!hand.alive()) return forever();
      const { step, orderId } = hand;
      this.onChange({ what, step, orderId });
      this.changes.push({ what, step, orderId });
      const value = await run(what, change);
      return hand.alive() ? value : forever();
    };
  }

  /** Does work in the hands of an order: each change counts for it, and none happens any more once its agent is dead. */
  inHands<T>(hand: Hand, work: () => Promise<T>): Promise<T> {
    return this.hands.run(hand, work);
  }
  /** How often each change was made; look-alikes in one step count together. Programs that only look are left out. */
  get counts(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const { step, what } of this.changes) if (!looks.test(what)) counts[`${step}: ${what}`] = (counts[`${step}: ${what}`] ?? 0) + 1;
    return counts;
  }
}
