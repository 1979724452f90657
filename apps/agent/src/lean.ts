import { readFileSync } from 'node:fs';

/** What may be left of this process's own memory after work (MB), and for how long it must have had nothing to do. */
const enoughMb = 50;
const restMs = 60_000;

export interface Leanness {
  /** Orders that this process began so far, and whether any is under way. */
  orders: { readonly begun: number; readonly busy: boolean };
  anonMb?: () => number;
  now?: () => number;
}

/**
 * Whether this process should end, to be started afresh by systemd. What an install leaves in the C library's heap (a gigabyte passed through it in 16 KiB
 * pieces) is never given back, though nothing uses it: 60 to 100 MB for ever, against 40 of a fresh process. The journal makes a restart harmless.
 * A process that began no order is never asked to end, so that it cannot go round in circles.
 */
export function shouldStartAfresh({ orders, anonMb = ownAnonMb, now = () => performance.now() }: Leanness): () => boolean {
  let seen = orders.begun;
  let since = now();
  return () => {
    if (orders.busy || orders.begun !== seen) {
      seen = orders.begun;
      since = now();
      return false;
    }
    return orders.begun > 0 && now() - since >= restMs && anonMb() > enoughMb;
  };
}

/** True where systemd started this process as a unit's main one and so starts it again. */
export const isUnit = (env: NodeJS.ProcessEnv): boolean => env.INVOCATION_ID !== undefined && process.ppid === 1;

function ownAnonMb(): number {
  return Number(/^RssAnon:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? 0) / 1024;
}
