import { localHost } from '@strata/host-local';
import { VolumeAsk, volumeFolder } from '@strata/model';
import { runTask, sharedVolume } from '@strata/tasks';
import { realClock } from './execute-order';

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
  const stopping = new AbortController();
  const timer = setTimeout(() => stopping.abort(new Error('it took too long')), sharedVolume.timeoutMs);
  let before: unknown;
  const journal = { storedBefore: () => before, before: async (value: unknown) => void (before = await Promise.resolve(value)) };
  const common = { clock: realClock, progress: () => undefined, log: () => undefined, signal: stopping.signal, secret: () => '' };
  try {
    const ended = await runTask(sharedVolume, { action: 'run', input: ask }, { ports: { host: localHost({ stateDir }) }, common, journal });
    if (ended.outcome === 'satisfied' || ended.outcome === 'changed') return {};
    const { failure } = ended.result;
    throw new Error([failure?.message ?? ended.outcome, ...(failure?.cause ?? []).slice(-1), failure?.remedy].filter(Boolean).join('; '));
  } finally {
    clearTimeout(timer);
  }
}
