const sorted = (of: readonly number[]): number[] => [...of].sort((a, b) => a - b);
/** The value at a share of the way through, between two values if need be. */
function at(of: readonly number[], share: number): number {
  const all = sorted(of);
  const place = (all.length - 1) * share;
  const [low, high] = [all[Math.floor(place)] ?? NaN, all[Math.ceil(place)] ?? NaN];
  return low + (high - low) * (place - Math.floor(place));
}
export const median = (of: readonly number[]): number => at(of, 0.5);
/** First quartile, median, third quartile. */
export const quartiles = (of: readonly number[]): [number, number, number] => [at(of, 0.25), at(of, 0.5), at(of, 0.75)];
