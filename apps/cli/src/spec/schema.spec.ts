import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundleSchemaText, schemaText } from './schema';

test.each([
  ['cluster', schemaText],
  ['bundle', bundleSchemaText],
])('docs/%s.schema.json is what is read (written anew with STRATA_WRITE_DOCS=1)', (name, text) => {
  const path = join(__dirname, `../../../../docs/${name}.schema.json`);
  if (process.env.STRATA_WRITE_DOCS) writeFileSync(path, text());
  expect(readFileSync(path, 'utf8')).toBe(text());
});
