import { canonicalJson } from './canonical-json';

test('the order of keys does not matter, the order of items does', () => {
  expect(canonicalJson({ b: 1, a: [2, { d: null, c: 'x' }] })).toBe('{"a":[2,{"c":"x","d":null}],"b":1}');
  expect(canonicalJson({ a: [1, 2] })).not.toBe(canonicalJson({ a: [2, 1] }));
});

test('the text parses back to the same value; undefined properties vanish as in JSON', () => {
  const value = { text: 'é "quoted" \n', n: -1.5e-9, on: true, none: undefined, at: new Date(0) };
  expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
});

test.each([
  [{ a: { b: Number.NaN } }, '$.a.b'],
  [[undefined], '$[0]'],
  [{ n: 1n }, '$.n'],
  [{ f: () => 1 }, '$.f'],
])('a value that JSON cannot hold is named by path', (value, path) => {
  expect(() => canonicalJson(value)).toThrow(`at ${path}`);
});
