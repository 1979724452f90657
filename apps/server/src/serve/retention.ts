import type { Store } from '@strata/store';
import type { Log } from './log';

const everyMs = 3_600_000;
const day = 24 * everyMs;
const keep = { logsMs: 30 * day };

/** Lets go of what is kept only for a while: log lines of steps. Begins at once, and ends with the signal. */
export function startRetention(store: Store, log: Log, stopping: AbortSignal): void {
  const sweep = async (): Promise<void> => {
    const pruned = await store.logs.prune(new Date(Date.now() - keep.logsMs));
    if (pruned > 0) log.info({ pruned }, 'old log lines were removed');
  };
  const run = (): void => void sweep().catch((error: unknown) => log.warn({ err: error }, 'old log lines could not be removed; trying again in an hour'));
  run();
  const timer = setInterval(run, everyMs).unref();
  stopping.addEventListener('abort', () => clearInterval(timer), { once: true });
}
