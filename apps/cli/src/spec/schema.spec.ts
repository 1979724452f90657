import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { schemaText } from './schema';

test('docs/cluster.schema.json is what the spec is (written anew with STRATA_WRITE_DOCS=1)', () => {
  const path = join(__dirname, '../../../../docs/cluster.schema.json');
  if (process.env.STRATA_WRITE_DOCS) writeFileSync(path, schemaText());
  expect(readFileSync(path, 'utf8')).toBe(schemaText());
});
