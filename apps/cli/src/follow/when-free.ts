import { ApiError } from '@strata/api-client';
import { exitCodes } from '@strata/model';
import { CliError } from '../cli-error';

export interface Waiting {
  now(): number; // ms
  sleep(ms: number): Promise<void>;
  say(text: string): void;
}
const everyMs = 1_000;

/**
 * Starts something once no other run is at work on the cluster, and says for which it waits, each once. `waitMs` 0: it does not wait.
 * @throws ApiError `cluster-busy` without waiting, CliError (124) when the time is over
 */
export async function whenFree<T>(start: () => Promise<T>, w: Waiting, waitMs: number): Promise<T> {
  const until = w.now() + waitMs;
  for (let told = ''; ; await w.sleep(Math.max(0, Math.min(everyMs, until - w.now())))) {
    try {
      return await start();
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 'cluster-busy' || waitMs === 0) throw error;
      if (error.message !== told) w.say(`${error.message}; waiting until it is over`);
      told = error.message;
      if (w.now() >= until) throw new CliError(`nothing was begun: ${error.message}`, { exitCode: exitCodes.timeout, remedy: error.remedy, cause: error });
    }
  }
}
