import { readFileSync } from 'node:fs';
import { type ChartValues, forbiddenKeys, largestValues, mergedValues, valuesIssue } from '@strata/model';
import { isMap, isNode, isScalar, LineCounter, parseDocument, visit } from 'yaml';
import { usage } from '../cli-error';

/** A name of one anchor may stand for much; so many of them no values need. */
const mostAliases = 20;
const remedy = 'write values as a map of names, as in the values.yaml of the chart';

/** The values of files and of `--set`, the later over the earlier. They are data: nothing in them is carried out. @throws CliError with FILE:LINE:COLUMN */
export function readValues(files: readonly string[], sets: readonly string[]): ChartValues {
  let all: ChartValues = {};
  for (const file of files) all = mergedValues(all, valuesOf(textOf(file), file));
  for (const set of sets) all = mergedValues(all, setOf(set));
  if (JSON.stringify(all).length > largestValues)
    throw usage(`the values have more than ${largestValues} bytes`, 'put large data into a ConfigMap or a volume');
  return all;
}
function textOf(file: string): string {
  try {
    const text = readFileSync(file, 'utf8');
    if (text.length <= largestValues) return text;
  } catch (error) {
    throw usage(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`, 'name a YAML file of values', error);
  }
  throw usage(`${file} has more than ${largestValues} bytes`, 'put large data into a ConfigMap or a volume');
}

/** The values in a text, with no more aliases than values need, and no name that is no data. */
export function valuesOf(text: string, name: string): ChartValues {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, logLevel: 'silent' });
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${name}:${line}:${col}`;
  };
  const [error] = document.errors;
  if (error) throw usage(`${at(error.pos[0])}: ${error.message.split('\n')[0] ?? ''}`, remedy);
  if (document.contents === null) return {};
  if (!isMap(document.contents)) throw usage(`${at(document.contents.range?.[0] ?? 0)}: values are a map of names`, remedy);
  visit(document, {
    Pair: (_, { key }) => {
      if (isScalar(key) && forbiddenKeys.has(String(key.value))) throw usage(`${at(key.range?.[0] ?? 0)}: a value cannot be named "${String(key.value)}"`, remedy);
    },
  });
  const values = aliased(() => document.toJS({ maxAliasCount: mostAliases }) as unknown, `${name}:1:1`);
  const found = valuesIssue(values);
  if (found) {
    const node = document.getIn(found.path, true);
    throw usage(`${at(isNode(node) ? (node.range?.[0] ?? 0) : 0)}: ${found.message}`, remedy);
  }
  return JSON.parse(JSON.stringify(values)) as ChartValues;
} // prettier-ignore
function aliased<T>(make: () => T, at: string): T {
  try {
    return make();
  } catch (error) {
    throw usage(
      `${at}: ${error instanceof Error ? error.message : String(error)}`,
      `write out what the anchors stand for: ${mostAliases} aliases at most`,
      error,
    );
  }
}

/** `a.b=1` as values: what follows the first `=` is read as YAML, so that 1 is a number and true is a yes. */
export function setOf(set: string): ChartValues {
  const [path = '', text] = split(set);
  if (text === undefined || !/^[^.\s]+(\.[^.\s]+)*$/.test(path)) throw usage(`--set ${set} is not of the form NAME.NAME=VALUE`, 'write for example: --set db.size=3');
  const keys = path.split('.');
  const bad = keys.find((key) => forbiddenKeys.has(key));
  if (bad !== undefined) throw usage(`--set ${set}: a value cannot be named "${bad}"`, remedy);
  const document = parseDocument(text, { logLevel: 'silent' });
  // what is no YAML of its own, as `{{ x }}` or `a: b`, is a text
  const value = document.errors.length > 0 || isMap(document.contents) ? text : (aliased(() => document.toJS({ maxAliasCount: 0 }) as unknown, `--set ${set}`) ?? text);
  return keys.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value) as ChartValues;
} // prettier-ignore
const split = (set: string): [string, string | undefined] => {
  const i = set.indexOf('=');
  return i < 0 ? [set, undefined] : [set.slice(0, i), set.slice(i + 1)];
};
