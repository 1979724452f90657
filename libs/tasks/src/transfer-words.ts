const units = ['B', 'kB', 'MB', 'GB', 'TB'] as const;
/** A number of bytes for people: `812 B`, `12.3 MB`. */
export function bytesText(bytes: number): string {
  let [n, i] = [bytes, 0];
  while (n >= 1000 && i < units.length - 1) [n, i] = [n / 1000, i + 1];
  return `${i === 0 ? Math.round(n) : n.toFixed(1)} ${units[i] ?? ''}`;
}
function spanText(seconds: number): string {
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

const windowMs = 15_000;
/**
 * Honest words for a transfer: what, how many bytes of how many, how fast lately, how long still. The rate is that of the last 15 s, so that a line that
 * stalls is seen to stall; bytes that were there at the beginning are none that came.
 */
export class TransferMeter {
  private samples: { at: number; bytes: number }[] = [];
  /** @param total bytes of all that is to be there in the end */
  constructor(readonly total: number) {}

  /** @param bytes how many of `total` are there at `now` (ms) */
  tell(what: string, bytes: number, now: number): string {
    this.samples.push({ at: now, bytes });
    while (this.samples.length > 2 && now - (this.samples[1]?.at ?? now) >= windowMs) this.samples.shift();
    const first = this.samples[0] ?? { at: now, bytes };
    const [ms, came] = [now - first.at, bytes - first.bytes];
    const rate = ms >= 1000 ? (came / ms) * 1000 : null;
    const left = rate && rate > 0 && bytes < this.total ? `, about ${spanText((this.total - bytes) / rate)} left` : '';
    return `${what}: ${bytesText(bytes)} of ${bytesText(this.total)}${rate === null ? '' : `, ${bytesText(rate)}/s`}${left}`;
  }
  /** Bytes a second lately, or null while that is not known. @param overMs what counts as long enough */
  rate(now: number, overMs: number): number | null {
    const [first, last] = [this.samples[0], this.samples.at(-1)];
    if (!first || !last || now - first.at < overMs) return null;
    return ((last.bytes - first.bytes) / (now - first.at)) * 1000;
  }
}
