import { readFile } from 'node:fs/promises';
import { notPlain } from '@strata/model';
import { type Document, LineCounter, parseDocument, isNode } from 'yaml';
import type { z } from 'zod';

/** Reads a YAML file by a schema. Throws with `file:line:column` and what is wrong there, all findings in one error. */
export async function readYaml<S extends z.ZodType>(path: string, schema: S): Promise<z.infer<S>> {
  const lines = new LineCounter();
  const document = parseDocument(await readFile(path, 'utf8'), { lineCounter: lines, uniqueKeys: true });
  const at = placeIn(path, lines);
  if (document.errors.length > 0) throw new Error(document.errors.map((e) => `${at(e.pos[0])}: ${e.message.split('\n')[0]}`).join('\n'));
  const parsed = schema.safeParse(plainValue(document, at, 20));
  if (parsed.success) return parsed.data;
  throw new Error(
    parsed.error.issues.map((issue) => `${at(offsetOf(document, issue.path))}: ${issue.path.join('.') || 'document'}: ${issue.message}`).join('\n'),
  );
}
/** What a document holds, which is plain data without an end to its aliases. @throws Error with `file:line:column` */
export function plainValue(document: Document.Parsed, at: (offset: number) => string, maxAliasCount: number): unknown {
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount });
  } catch (cause) {
    const { message } = cause as Error;
    const words = message.startsWith('Excessive') ? `too many aliases (at most ${maxAliasCount}): write the values out` : message;
    throw new Error(`${at(document.range[0])}: ${words}`, { cause });
  }
  const strange = notPlain(value);
  if (strange) throw new Error(`${at(offsetOf(document, strange.path))}: ${strange.path.join('.')}: ${strange.message}`);
  return value;
}
/** Where a path stands in the text, or, for what is missing, the nearest thing above it. */
function offsetOf(document: Document.Parsed, path: readonly PropertyKey[]): number {
  for (let depth = path.length; depth >= 0; depth--) {
    const node: unknown = document.getIn(path.slice(0, depth), true);
    if (isNode(node) && node.range) return node.range[0];
  }
  return 0;
}
/** `file:line:column` of a place in a file's text. */
export const placeIn =
  (path: string, lines: LineCounter) =>
  (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${path}:${line}:${col}`;
  };
