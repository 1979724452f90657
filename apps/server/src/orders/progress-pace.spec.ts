import { ProgressPace } from './progress-pace';

test('the first word, then tenths, new notes every 2 s, and a sign of life every 5 s', () => {
  const pace = new ProgressPace();
  const at = (ms: number, fraction: number | null, note = 'a'): boolean => pace.isDue(ms, { fraction, note });
  expect(at(0, 0)).toBe(true);
  expect(at(10, 0.05)).toBe(false);
  expect(at(20, 0.11)).toBe(true);
  expect(at(30, 0.15, 'b')).toBe(false);
  expect(at(2_030, 0.15, 'b')).toBe(true);
  expect(at(4_000, null, 'b')).toBe(false);
  expect(at(7_030, null, 'b')).toBe(true);
});
