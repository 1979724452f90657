import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CommanderError } from 'commander';
import { cliDocument } from './docs';
import { strataProgram } from './program';
import { paper } from './testing/paper';
import { version } from './version';

const root = join(__dirname, '../../..');

test('docs/cli.md has every command, as it is (written anew with STRATA_WRITE_DOCS=1)', () => {
  const document = cliDocument(strataProgram(paper().cli));
  const path = join(root, 'docs/cli.md');
  if (process.env.STRATA_WRITE_DOCS) writeFileSync(path, document);
  expect(readFileSync(path, 'utf8')).toBe(document);
});
test('all that was promised is there', () => {
  const document = cliDocument(strataProgram(paper().cli));
  for (const command of [
    'up', 'down', 'init', 'schema', 'validate', 'plan', 'apply', 'precheck', 'download', 'prepare', 'install', 'activate', 'node add', 'node list', 'node show <name>', 'node remove <name>',
    'node join-command <name>', 'runs list', 'runs show [run]', 'runs watch [run]', 'runs cancel [run]', 'runs resume [run]', 'runs retry <run> <step>', 'logs <run> <step>', 'status', 'pods', 'pods events <namespace/name>', 'pods logs <namespace/name>', 'images',
    'cluster list', 'cluster show [name]', 'cluster delete <name>', 'kubeconfig', 'kubectl [args…]', 'uninstall [cluster]', 'lab [args…]', 'quickstart', 'version', 'completion <shell>', 'doctor [node]', 'support', 'node changes <name>', 'bundle lint <folder>', 'bundle schema',
  ]) expect(document).toContain(`| \`strata ${command}\` |`); // prettier-ignore
});
test('the version is that of the package', () => {
  expect(version).toBe((JSON.parse(readFileSync(join(root, 'apps/cli/package.json'), 'utf8')) as { version: string }).version);
});

const run = async (...argv: string[]): Promise<{ error: unknown; out: string[]; err: string[] }> => {
  const sheet = paper({ HOME: '/nonexistent' });
  const error: unknown = await strataProgram(sheet.cli).parseAsync(['node', 'strata', ...argv]).then(() => null, (e: unknown) => e); // prettier-ignore
  return { error, out: sheet.out, err: sheet.err };
};
test.each([
  [['bogus']],
  [['apply']],
  [['status', '-o', 'xml']],
  [['up', '--timeout', 'soon']],
  [['apply', '-f', 'x', '--until', 'lunch']],
  [['runs', 'retry', 'x']],
])('a command that is wrong (%j) is refused by commander', async (argv) => {
  const { error, err } = await run(...argv);
  expect(error).toBeInstanceOf(CommanderError);
  expect(err.join('\n')).toMatch(/error: /);
});
test("options after kubectl are kubectl's own", async () => {
  const { error } = await run('kubectl', '--cluster', 'x', 'get', 'pods', '-o', 'wide', '--context', 'y');
  expect(error).toMatchObject({ message: expect.stringContaining('no control server is known') as string });
});
