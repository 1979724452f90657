/** Sizes that real paths have: tunnels, PPPoE, clouds; tried first when the full size does not get through. */
const usual = [8951, 8900, 1500, 1492, 1480, 1472, 1460, 1454, 1450, 1440, 1430, 1420, 1412, 1400, 1390, 1380, 1360, 1350, 1300, 1280, 1000, 576];
const most = 32;

/** What is known of a path so far: by size, whether a packet that must not be cut got through. */
export type SizesTried = ReadonlyMap<number, boolean>;

/** The largest size that got through; null when none did. */
export const pathMtu = (tried: SizesTried): number | null =>
  [...tried].reduce<number | null>((best, [size, ok]) => (ok && size > (best ?? 0) ? size : best), null);

/**
 * The sizes to try next, all at once: what the link allows, then the usual ones, then those between the largest that passes and the
 * smallest above it that does not. Empty when the answer is exact, or nothing passes at all.
 */
export function nextSizes(link: number, tried: SizesTried): number[] {
  if (!tried.has(link)) return [link];
  if (tried.get(link) === true) return [];
  if (tried.size === 1) return usual.filter((s) => s < link);
  const ok = pathMtu(tried);
  if (ok === null) return [];
  const bad = Math.min(...[...tried].filter(([size, well]) => !well && size > ok).map(([size]) => size));
  const between = bad - ok - 1;
  if (between <= 0) return [];
  const step = Math.ceil(between / most);
  return Array.from({ length: Math.ceil(between / step) }, (_, i) => ok + 1 + i * step).filter((s) => s < bad);
}
