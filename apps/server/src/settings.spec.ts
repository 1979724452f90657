import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readSettings } from './settings';

const home = (yaml?: string): string => {
  const dir = mkdtempSync(join(tmpdir(), 'strata-settings-'));
  if (yaml !== undefined) writeFileSync(join(dir, 'server.yaml'), yaml);
  return dir;
};

test('without file and environment everything has its default', () => {
  const dir = home();
  expect(readSettings(dir, {})).toMatchObject({
    home: dir,
    ports: { api: 7443, agents: 7444, artifacts: 7445, enrollment: 7446 },
    apiHost: '127.0.0.1',
    artifactDir: join(dir, 'artifacts'),
  });
});

test('the environment comes before the file', () => {
  const dir = home('ports: { api: 1000, agents: 1001 }\nadvertise: [10.0.0.1]\n');
  const settings = readSettings(dir, { STRATA_API_PORT: '2000', STRATA_ADVERTISE: 'a.example,10.0.0.2', STRATA_MIRRORS: '/a:/b' });
  expect(settings).toMatchObject({ ports: { api: 2000, agents: 1001 }, advertise: ['a.example', '10.0.0.2'], mirrorDirs: ['/a', '/b'] });
});

test('each wrong setting is named with the place that it came from', () => {
  const dir = home('logLevel: loud\nprots: {}\n');
  const wrong = (): unknown => readSettings(dir, { STRATA_API_PORT: 'x', DATABASE_URL: 'mysql://a/b' });
  for (const words of ['ports.api (STRATA_API_PORT)', 'databaseUrl (DATABASE_URL)', `logLevel (${dir}/server.yaml)`, 'prots']) expect(wrong).toThrow(words);
  expect(() => readSettings(home('a: 1\na: 2\n'), {})).toThrow('server.yaml:2');
  expect(() => readSettings(home('- a\n'), {})).toThrow('must hold settings by name');
  expect(() => readSettings(home('ports: { api: 7444 }\n'), {})).toThrow('7444 is used twice');
});
