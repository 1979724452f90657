import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readValues, setOf, valuesOf } from './read-values';

const bomb = ['a: &a [x, x, x, x, x, x, x, x, x]', ...['b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'].map((n, i) => `${n}: &${n} [${Array(9).fill(`*${'abcdefgh'[i] ?? ''}`).join(', ')}]`)].join('\n'); // prettier-ignore

test('values of files and of --set, the later over the earlier', () => {
  const dir = mkdtempSync(join(tmpdir(), 'values-'));
  const [one, two] = [join(dir, 'one.yaml'), join(dir, 'two.yaml')];
  writeFileSync(one, 'db: { size: 1, name: a }\nlist: [1, 2]\n');
  writeFileSync(two, 'db: { size: 2 }\nlist: [3]\n');
  expect(readValues([one, two], ['db.name=b', 'on=true'])).toEqual({ db: { size: 2, name: 'b' }, list: [3], on: true });
  writeFileSync(two, `text: ${'x'.repeat(70_000)}`);
  expect(() => readValues([two], [])).toThrow(/two\.yaml has more than 65536 bytes/);
  rmSync(dir, { recursive: true });
  expect(() => readValues([one], [])).toThrow(/one\.yaml cannot be read/);
});
test.each([
  ['a: 1\n__proto__: { polluted: 1 }', 'v.yaml:2:1: a value cannot be named "__proto__"'],
  ['a:\n  - constructor: 1', 'v.yaml:2:5: a value cannot be named "constructor"'],
  ['a: 1\na: 2', 'v.yaml:2:1: Map keys must be unique'],
  ['- 1', 'v.yaml:1:1: values are a map of names'],
  ['a: [1', 'v.yaml:1:6: '],
  [bomb, 'v.yaml:1:1: Excessive alias count'],
])('%j is refused at its place', (text, words) => {
  expect(() => valuesOf(text, 'v.yaml')).toThrow(words);
  expect(({} as { polluted?: number }).polluted).toBeUndefined();
});
test('an anchor that is used a few times is fine, and a template is a text', () => {
  expect(valuesOf('a: &x { n: 1 }\nb: *x\nc: "{{ .Values.a }}"', 'v.yaml')).toEqual({ a: { n: 1 }, b: { n: 1 }, c: '{{ .Values.a }}' });
  expect(valuesOf('', 'v.yaml')).toEqual({});
});
test('--set takes numbers, yes and no, lists and texts', () => {
  expect(['a.b=1', 'a=true', 'a=[1, 2]', 'a="1"', 'a={{ .Release.Name }}', 'a=x: y', 'a=', 'a=b=c'].map(setOf)).toEqual([
    { a: { b: 1 } }, { a: true }, { a: [1, 2] }, { a: '1' }, { a: '{{ .Release.Name }}' }, { a: 'x: y' }, { a: '' }, { a: 'b=c' },
  ]); // prettier-ignore
  for (const bad of ['a', '=1', 'a..b=1', 'a.__proto__.b=1']) expect(() => setOf(bad)).toThrow(`--set ${bad}`);
});
