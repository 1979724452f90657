import { readFile } from 'node:fs/promises';
import { LineCounter, parseDocument, isNode } from 'yaml';
import type { z } from 'zod';

/** Reads a YAML file by a schema. Throws with `file:line:column` and what is wrong there, all findings in one error. */
export async function readYaml<S extends z.ZodType>(path: string, schema: S): Promise<z.infer<S>> {
  const lines = new LineCounter();
  const document = parseDocument(await readFile(path, 'utf8'), { lineCounter: lines, uniqueKeys: true });
  const at = placeIn(path, lines);
  if (document.errors.length > 0) throw new Error(document.errors.map((e) => `${at(e.pos[0])}: ${e.message.split('\n')[0]}`).join('\n'));
  const parsed = schema.safeParse(document.toJS({ maxAliasCount: 20 }));
  if (parsed.success) return parsed.data;
  const findings = parsed.error.issues.map((issue) => {
    let offset = 0;
    for (let depth = issue.path.length; depth >= 0; depth--) {
      const node: unknown = document.getIn(issue.path.slice(0, depth), true);
      if (isNode(node) && node.range) {
        offset = node.range[0];
        break;
      }
    }
    return `${at(offset)}: ${issue.path.join('.') || 'document'}: ${issue.message}`;
  });
  throw new Error(findings.join('\n'));
}
/** `file:line:column` of a place in a file's text. */
export const placeIn =
  (path: string, lines: LineCounter) =>
  (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${path}:${line}:${col}`;
  };
