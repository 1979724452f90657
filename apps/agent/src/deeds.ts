import { localHost } from '@strata/host-local';
import { VolumeAsk, volumeFolder } from '@strata/model';
import { deadline, runTask, sharedVolume } from '@strata/tasks';
import { realClock, realTimers } from './execute-order';

/** What is under way, by folder and wish: who asks again, since the first answer was late, is given that one. */
const underWay = new Map<string, Promise<Record<string, never>>>();

/**
 * A folder of the shared view for a claim of Kubernetes, or its end: the one thing that a server may ask of an agent outside any run (docs/adr/0012). Its
 * check says whether anything is to be done, so it may be asked as often as one likes. @throws Error that says what stands in the way
 */
export function volumeDeed(input: unknown, stateDir: string): Promise<Record<string, never>> {
  const ask = VolumeAsk.parse(input);
  const key = `${ask.want} ${volumeFolder(ask.claim)} ${ask.gib}`;
  const known = underWay.get(key);
  if (known) return known;
  const work = carriedOut(ask, stateDir).finally(() => underWay.delete(key));
  underWay.set(key, work);
  return work;
}

async function carriedOut(ask: VolumeAsk, stateDir: string): Promise<Record<string, never>> {
  const limit = deadline('start', sharedVolume.timeoutMs, realTimers);
  let before: unknown;
  const keep = (value: unknown): Promise<void> => {
    before = value;
    return Promise.resolve();
  };
  const journal = { storedBefore: () => before, before: keep };
  const common = { clock: realClock, progress: limit.alive, log: () => undefined, signal: limit.signal, secret: () => '' };
  try {
    const ended = await runTask(sharedVolume, { action: 'run', input: ask }, { ports: { host: localHost({ stateDir }) }, common, journal });
    if (ended.outcome === 'satisfied' || ended.outcome === 'changed') return {};
    const { failure } = ended.result;
    throw new Error([failure?.message ?? ended.outcome, ...(failure?.cause ?? []).slice(-1), failure?.remedy].filter(Boolean).join('; '));
  } finally {
    limit.end();
  }
}
