/** An IPv4 range as numbers, both ends included; null if it is not one. `10.0.0.1` is a range of one. */
export function rangeOf(cidr: string): { from: number; to: number } | null {
  const m = /^(\d+)\.(\d+)\.(\d+)\.(\d+)(?:\/(\d+))?$/.exec(cidr);
  if (!m) return null;
  const address = [1, 2, 3, 4].reduce((n, i) => n * 256 + Number(m[i]), 0);
  const size = 2 ** (32 - Number(m[5] ?? 32));
  const from = Math.floor(address / size) * size;
  return { from, to: from + size - 1 };
}
export function overlap(a: string, b: string): boolean {
  const [x, y] = [rangeOf(a), rangeOf(b)];
  return x !== null && y !== null && x.from <= y.to && y.from <= x.to;
}
