import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CliError } from '../cli-error';
import { strataProgram } from '../program';
import { paper } from '../testing/paper';

let dir: string;
beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), 'strata-bundle-'))));
afterEach(() => rmSync(dir, { recursive: true }));
const lint = async (folder: string): Promise<string> => {
  const sheet = paper();
  const error: unknown = await strataProgram(sheet.cli).parseAsync(['node', 'strata', 'bundle', 'lint', folder]).then(() => null, (e: unknown) => e); // prettier-ignore
  return error instanceof CliError ? `${error.what.exitCode}: ${error.message}` : sheet.out.join('\n');
};

test('the bundles that come with Strata are good', async () => {
  expect(await lint(join(__dirname, '../../../../bundles/demo'))).toMatch(/is good: bundle "demo" 1\.0\.0, 1 components, 1 images$/);
});
test('what is wrong is named with file, line and column, all of it at once', async () => {
  mkdirSync(join(dir, 'b'));
  writeFileSync(join(dir, 'b/bundle.yaml'), 'apiVersion: strata/v1\nkind: Bundle\nmetadata: { name: B, version: one }\ncomponents: []\n');
  const said = await lint(join(dir, 'b'));
  expect(said).toMatch(/^2: .* is not a bundle/);
  for (const place of [/bundle\.yaml:3:19: metadata\.name/, /bundle\.yaml:3:31: metadata\.version/, /bundle\.yaml:4:13: components/])
    expect(said).toMatch(place);
  expect(await lint(join(dir, 'none'))).toMatch(/^2: [^]*no such file/);
});
