import { z } from 'zod';
import { tasks } from './registry';

/** Fields that are free text by nature: shown or compared, never run, opened or written as a unit. */
const freeText = /\.(name|blobs\[\]\.mediaType|\$secret)$/; // an artifact's own name, the name of a secret
/** Absolute paths that the operator's spec may name. */
const allowedPaths = [
  'localfs.layout: path',
  'data.place: dataDir',
  'precheck.resources: dataPaths[]',
  'juicefs.mount: path',
  'juicefs.mount: cache.path',
  'metadata.stepdown: path',
  'metadata.stepdown: cache',
  'storage.leave: path',
  'storage.leave: cache',
  'view.read: path',
  'migration.look: path',
  'migration.may-end: path',
  'tree.aside: path',
  'tree.back: path',
  'tree.compare: path',
  'tree.copy: path',
  'tree.drop: path',
  'view.write: path',
];
const forbidden = /^(argv|args|command|cmd|script|shell|exec|unit|unitText|file|content)$/i;

interface Field {
  name: string;
  schema: { type?: string; pattern?: string; format?: string; enum?: unknown; const?: unknown };
}
type Json = Record<string, unknown> & Field['schema'];

/** Every leaf of a JSON schema with its dotted path. */
function* fields(schema: Json, name: string): Generator<Field> {
  for (const [key, child] of Object.entries((schema.properties ?? {}) as Record<string, Json>)) yield* fields(child, name === '' ? key : `${name}.${key}`);
  for (const part of ['anyOf', 'oneOf', 'allOf']) for (const child of (schema[part] ?? []) as Json[]) yield* fields(child, name);
  if (schema.items) yield* fields(schema.items as Json, `${name}[]`);
  if (schema.propertyNames) yield* fields(schema.propertyNames as Json, `${name}{key}`);
  if (typeof schema.additionalProperties === 'object') yield* fields(schema.additionalProperties as Json, `${name}{}`);
  if (schema.type === 'string' || schema.type === undefined) yield { name, schema };
}
const typed = (s: Field['schema']): boolean =>
  s.pattern !== undefined || (s.format !== undefined && s.format !== 'uri') || s.enum !== undefined || s.const !== undefined;
const takesPath = (s: Field['schema']): boolean => s.pattern !== undefined && new RegExp(s.pattern).test('/any/path');
const onNodes = [...tasks.values()].filter((t) => t.on === 'node');

describe.each(onNodes.map((task) => ({ name: task.name, task })))('input of $name', ({ name, task }) => {
  const all = [...fields(z.toJSONSchema(task.input, { unrepresentable: 'any', io: 'input' }) as Json, '')];
  it('has no field for a command, a unit or a file', () => {
    expect(all.map((f) => f.name).filter((n) => n.split('.').some((part) => forbidden.test(part)))).toEqual([]);
  });
  it('has no text without a form', () => {
    const loose = all.filter((f) => f.schema.type === 'string' && !typed(f.schema) && !freeText.test(f.name));
    expect(loose.map((f) => f.name)).toEqual(allowedFreeText[name] ?? []);
  });
  it('takes no path but from the spec', () => {
    expect(all.filter((f) => takesPath(f.schema)).map((f) => `${name}: ${f.name}`).filter((f) => !allowedPaths.includes(f))).toEqual([]); // prettier-ignore
  });
});

/** Values that are only compared with what the machine says. */
const allowedFreeText: Record<string, string[]> = {
  'precheck.identity': ['others[].hostname', 'others[].machineId'],
  'precheck.network': ['address'],
};
