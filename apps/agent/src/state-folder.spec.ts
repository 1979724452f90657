import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { emptied, rememberFolder } from './join';

const paths = (state: string) => ({ state, config: join(state, 'no.yaml'), unit: join(state, 'no.service') });
const kept = (state: string): unknown => JSON.parse(readFileSync(join(state, 'folder-before.json'), 'utf8'));

test('a state folder that was there ahead of the agent gets its mode back; joining again does not forget it', async () => {
  const state = mkdtempSync(join(tmpdir(), 'strata-state-'));
  chmodSync(state, 0o755);
  await rememberFolder(paths(state));
  mkdirSync(join(state, 'identity'));
  chmodSync(state, 0o700);
  await rememberFolder(paths(state));
  expect(kept(state)).toEqual({ mode: 0o755 });
  await emptied(state, { mode: 0o755 });
  expect([statSync(state).mode & 0o777, existsSync(join(state, 'identity'))]).toEqual([0o755, false]);
});
test('one that the agent made goes', async () => {
  const state = join(mkdtempSync(join(tmpdir(), 'strata-state-')), 'made');
  await rememberFolder(paths(state));
  mkdirSync(state);
  writeFileSync(join(state, 'journal.jsonl'), '');
  await emptied(state, null);
  expect(existsSync(state)).toBe(false);
});
