import { parseCount, parseMtu, parseName, parsePercent, parseRate, parseSize } from './options';

it.each([
  ['4G', 4 * 2 ** 30],
  ['512M', 512 * 2 ** 20],
  ['1.5GiB', 1.5 * 2 ** 30],
  ['4096', 4096],
])('size %s', (text, bytes) => expect(parseSize(text)).toBe(bytes));
it.each(['', 'G', '-1G', '4X'])('size "%s" is refused', (text) => expect(() => parseSize(text)).toThrow(/size/));

it.each([
  ['1mbit', 1000],
  ['500kbit', 500],
  ['1gbit', 1_000_000],
  ['1.5mbit', 1500],
])('rate %s', (text, kbit) => expect(parseRate(text)).toBe(kbit));
it.each(['1', '0mbit', '1mbyte'])('rate "%s" is refused', (text) => expect(() => parseRate(text)).toThrow(/rate/));

it.each([
  ['5', 5],
  ['2.5%', 2.5],
])('share %s', (text, percent) => expect(parsePercent(text)).toBe(percent));
it.each(['101', '-1', 'x'])('share "%s" is refused', (text) => expect(() => parsePercent(text)).toThrow(/percentage/));

it.each(['0', '-1', '1.5', 'x'])('count "%s" is refused', (text) => expect(() => parseCount(text)).toThrow(/whole number/));
it.each(['A', 'a b', '-a', 'a/b', '..', 'x'.repeat(41)])('name "%s" is refused', (text) => expect(() => parseName(text)).toThrow(/lower-case/));

it.each([['576', 576], ['1400', 1400], ['9000', 9000]] as const)('packet of %s bytes', (text, bytes) => expect(parseMtu(text)).toBe(bytes)); // prettier-ignore
it.each(['575', '9001', '1400b', '-1'])('packet of "%s" bytes is refused', (text) => expect(() => parseMtu(text)).toThrow());
