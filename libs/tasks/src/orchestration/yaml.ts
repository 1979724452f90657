/** What a configuration file of ours may hold. `undefined` fields are left out. */
export type Yaml = string | number | boolean | null | readonly Yaml[] | { readonly [key: string]: Yaml | undefined };

const plain = /^[A-Za-z/][A-Za-z0-9_./-]*$/;
const words = new Set(['true', 'false', 'yes', 'no', 'on', 'off', 'null', 'y', 'n']);
const scalar = (v: string | number | boolean | null): string =>
  typeof v === 'string' && (!plain.test(v) || words.has(v.toLowerCase())) ? JSON.stringify(v) : String(v);

/** YAML text of a value, block style, ending with a newline. Strings that could be read as anything else are quoted. */
export function toYaml(value: Yaml): string {
  return `${block(value, '').replace(/^\n/, '')}\n`;
}
/** Several documents in one text. */
export const yamlDocuments = (documents: readonly Yaml[]): string => documents.map(toYaml).join('---\n');

function block(value: Yaml, indent: string): string {
  if (value === null || typeof value !== 'object') return scalar(value);
  if (Array.isArray(value)) {
    if (value.length === 0) return '[]';
    return (value as readonly Yaml[]).map((item) => `\n${indent}- ${block(item, `${indent}  `).replace(/^\n\s*/, '')}`).join('');
  }
  const entries = Object.entries(value).filter((e): e is [string, Yaml] => e[1] !== undefined);
  if (entries.length === 0) return '{}';
  return entries
    .map(([key, item]) => {
      const text = block(item, Array.isArray(item) ? indent : `${indent}  `);
      return `\n${indent}${scalar(key)}:${text.startsWith('\n') ? '' : ' '}${text}`;
    })
    .join('');
}
