import { nanosIn, nanosOf } from './quantity';

test.each([
  ['0', 0n],
  ['1', 10n ** 9n],
  ['250m', 250_000_000n],
  ['12345678n', 12_345_678n],
  ['7u', 7_000n],
  ['0.1', 100_000_000n],
  ['1.', 10n ** 9n],
  ['2k', 2_000n * 10n ** 9n],
  ['2M', 2_000_000n * 10n ** 9n],
  ['2G', 2_000_000_000n * 10n ** 9n],
  ['3T', 3n * 10n ** 21n],
  ['1P', 10n ** 24n],
  ['9E', 9n * 10n ** 27n],
  ['61440Ki', 61_440n * 1024n * 10n ** 9n],
  ['1.5Mi', 1_572_864n * 10n ** 9n],
  ['3Gi', 3_221_225_472n * 10n ** 9n],
  ['1Ti', (1n << 40n) * 10n ** 9n],
  ['1Pi', (1n << 50n) * 10n ** 9n],
  ['1Ei', (1n << 60n) * 10n ** 9n],
  ['1e3', 1_000n * 10n ** 9n],
  ['12E6', 12_000_000n * 10n ** 9n],
  ['5e-3', 5_000_000n],
  ['0.5n', 1n], // rounded up
  ['128974848000m', 128_974_848n * 10n ** 9n],
])('%s is %d billionths', (text, nanos) => expect(nanosOf(text)).toBe(nanos));

test.each(['', 'x', '1x', '1ki', '1KI', '-1', '.5', '1 Gi', '1e', '1e999', '1Kie3', '9'.repeat(31), 'NaN', 'undefined'])('"%s" is none', (text) =>
  expect(nanosOf(text)).toBeNull(),
);
test('thousandths and whole ones are rounded up, as kubectl does', () => {
  expect([0n, 1n, 999_999n, 1_000_000n, 1_000_001n].map((n) => nanosIn(n, 'milli'))).toEqual([0, 1, 1, 1, 2]);
  expect([0n, 1n, 10n ** 9n, 10n ** 9n + 1n].map((n) => nanosIn(n, 'one'))).toEqual([0, 1, 1, 2]);
});
