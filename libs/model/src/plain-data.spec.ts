import { notPlain } from './plain-data';

test('what is within itself is found, with its place', () => {
  const a: Record<string, unknown> = { list: [1] };
  (a['list'] as unknown[]).push({ again: a });
  expect(notPlain({ x: 1, a })).toMatchObject({ path: ['a', 'list', 1, 'again'], message: expect.stringMatching(/alias of what it stands in/) as string });
});
test('what several parts share is plain', () => {
  const shared = { deep: { er: [null, 1] } };
  expect(notPlain({ a: shared, b: [shared, { c: shared }] })).toBeNull();
  expect(notPlain('text')).toBeNull();
});
test('`__proto__` is no name of a key', () => {
  expect(notPlain(JSON.parse('{"a":[{"__proto__":{"b":1}}]}'))).toMatchObject({
    path: ['a', 0, '__proto__'],
    message: expect.stringContaining('"__proto__"') as string,
  });
});
