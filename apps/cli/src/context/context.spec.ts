import { mkdtempSync, rmSync, statSync, writeFileSync, chmodSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readConfig, writeConfig } from './config-file';
import { resolveContext } from './context';

let dir: string;
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'strata-context-'))));
afterEach(() => rmSync(dir, { recursive: true }));
const config = (): string => join(dir, 'config', 'strata', 'config.yaml');
const env = (more: Record<string, string> = {}): Record<string, string> => ({ HOME: dir, XDG_CONFIG_HOME: join(dir, 'config'), ...more });
const token = (name: string): string => {
  writeFileSync(join(dir, name), `token-${name}\n`);
  return join(dir, name);
};
const two = (): void =>
  writeConfig(config(), {
    current: 'home',
    contexts: { home: { server: 'https://127.0.0.1:7443', ca: 'PEM', tokenFile: token('home') }, lab: { server: 'lab:7443', caPin: 'ab', token: 'inline' } },
  });

test('the file, readable by its owner alone, and its current context', () => {
  two();
  expect(statSync(config()).mode & 0o777).toBe(0o600);
  expect(resolveContext({}, env())).toMatchObject({ name: 'home', url: 'https://127.0.0.1:7443', caPem: 'PEM', token: 'token-home' });
});
test('--context outranks the environment, the environment outranks the file', () => {
  two();
  const around = env({ STRATA_SERVER: 'other:1', STRATA_TOKEN_FILE: token('env'), STRATA_CA_FILE: token('ca') });
  expect(resolveContext({ context: 'lab' }, around)).toMatchObject({ url: 'https://lab:7443', caPin: 'ab', token: 'inline' });
  expect(resolveContext({}, around)).toMatchObject({ name: 'environment', url: 'https://other:1', token: 'token-env', caPem: 'token-ca' });
});
test('what is wrong says what to do', () => {
  expect(() => resolveContext({}, env())).toThrow(
    expect.objectContaining({ what: expect.objectContaining({ exitCode: 2, remedy: expect.stringContaining('strata up') as string }) as object }) as Error,
  );
  two();
  expect(() => resolveContext({ context: 'none' }, env())).toThrow(/no context "none"/);
  expect(() => resolveContext({}, env({ STRATA_SERVER: 'x:1' }))).toThrow(/STRATA_TOKEN_FILE/);
  expect(() => resolveContext({}, env({ STRATA_SERVER: 'x:1', STRATA_TOKEN_FILE: join(dir, 'gone') }))).toThrow(/gone cannot be read/);
  chmodSync(config(), 0o644);
  expect(() => resolveContext({}, env())).toThrow(/read by others/);
  writeFileSync(config(), 'contexts: [', { mode: 0o600 });
  chmodSync(config(), 0o600);
  expect(() => readConfig(config())).toThrow(/is not YAML/);
  writeFileSync(config(), 'contexts: { a: { serve: x } }');
  expect(() => readConfig(config())).toThrow(/cannot be understood/);
});
