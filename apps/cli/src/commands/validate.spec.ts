import fs, { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { strataProgram } from '../program';
import { paper } from '../testing/paper';

test('validate -o json of a file that is wrong is JSON too, with exit code 2', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'strata-validate-'));
  const file = join(dir, 'cluster.yaml');
  writeFileSync(file, 'apiVersion: strata/v1\nkind: Cluster\nmetadata: { name: home }\nspec: { nodes: [], colour: red }\n');
  const sheet = paper();
  await strataProgram(sheet.cli).parseAsync(['node', 'strata', 'validate', '-f', file, '-o', 'json']);
  rmSync(dir, { recursive: true });
  const said = JSON.parse(sheet.out.join('\n')) as { issues: { line: number; path: string }[] };
  expect([sheet.code(), said.issues.map((i) => `${i.line} ${i.path}`)]).toEqual([2, expect.arrayContaining(['4 spec.colour']) as string[]]);
});
test('standard input, which is there once, is told with what is wrong in it and where', async () => {
  const texts = ['apiVersion: strata/v1\nkind: Cluster\nmetadata: { name: home }\nspec: { nodes: [], colour: red }\n'];
  const read = jest.spyOn(fs, 'readFileSync').mockImplementation(() => texts.shift() ?? '');
  const sheet = paper();
  try {
    await expect(strataProgram(sheet.cli).parseAsync(['node', 'strata', 'validate', '-f', '-'])).rejects.toThrow(
      /standard input:4:20: spec\.colour: unknown field "colour"/,
    );
  } finally {
    read.mockRestore();
  }
});
