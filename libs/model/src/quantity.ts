const nano = 10n ** 9n;
const decimal = { n: 1n, u: 10n ** 3n, m: 10n ** 6n, '': nano, k: nano * 10n ** 3n, M: nano * 10n ** 6n, G: nano * 10n ** 9n, T: nano * 10n ** 12n, P: nano * 10n ** 15n, E: nano * 10n ** 18n }; // prettier-ignore
const binary = { Ki: nano << 10n, Mi: nano << 20n, Gi: nano << 30n, Ti: nano << 40n, Pi: nano << 50n, Ei: nano << 60n };
const units: Readonly<Record<string, bigint>> = { ...decimal, ...binary };

/** A quantity of Kubernetes in billionths, exactly (finer than that it knows none; what is finer is rounded up, as there). Null for what is none. */
export function nanosOf(quantity: string): bigint | null {
  const [, whole, part = '', unit = '', power = '0'] = /^(\d{1,30})(?:\.(\d{0,30}))?(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?\d{1,2}))?$/.exec(quantity) ?? [];
  const one = units[unit];
  if (whole === undefined || one === undefined) return null;
  const up = BigInt(Math.max(0, Number(power)));
  const down = BigInt(part.length + Math.max(0, -Number(power)));
  return roundedUp(BigInt(whole + part) * one * 10n ** up, 10n ** down);
}
/** Nanos in a coarser unit of so many nanos (a thousandth, a byte), rounded up, as kubectl has it. */
export const nanosIn = (nanos: bigint, unit: 'milli' | 'one'): number => Number(roundedUp(nanos, unit === 'milli' ? 10n ** 6n : nano));

const roundedUp = (n: bigint, by: bigint): bigint => (n + by - 1n) / by;
