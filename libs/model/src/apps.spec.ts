import { AppValues, AppWish, largestValues, userNamespace, userOf } from './apps';

const wish = { name: 'db', namespace: 'office' };
const issue = (values: unknown): string => {
  const parsed = AppWish.safeParse({ ...wish, values });
  const [first] = parsed.error?.issues ?? [];
  return first ? `${first.path.join('.')}: ${first.message}` : '';
};

test('values are plain data, with templates in them as text', () => {
  const values = { greeting: '{{ .Release.Name }}', list: [1, { a: null }], deep: { x: true } };
  expect(AppWish.parse({ ...wish, values }).values).toEqual(values);
});
test.each(['__proto__', 'constructor', 'prototype'])('a value named %s is refused at its place, as JSON brings it', (key) => {
  const values: unknown = JSON.parse(`{"a":[{"${key}":{"polluted":1}}]}`);
  expect(issue(values)).toBe(`values.a.0.${key}: a value cannot be named "${key}"`);
  expect(({} as { polluted?: number }).polluted).toBeUndefined();
});
test('values are bounded in size and depth', () => {
  expect(issue({ text: 'x'.repeat(largestValues) })).toBe(`values: values have ${largestValues} bytes at most`);
  let deep: unknown = 1;
  for (let i = 0; i < 40; i++) deep = { a: deep };
  expect(issue(deep)).toMatch(/^values\.a\.a.*nested more than 32 deep$/);
  expect(AppValues.safeParse('text').success).toBe(false);
});
test("a user's namespace says whose it is", () => {
  expect([userOf(userNamespace('alice')), userOf('office'), userOf('user-')]).toEqual(['alice', null, null]);
});
