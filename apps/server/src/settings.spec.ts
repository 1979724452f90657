import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadSettings } from './settings';

const made: string[] = [];
const home = (yaml?: string): string => {
  const dir = mkdtempSync(join(tmpdir(), 'strata-settings-'));
  made.push(dir);
  if (yaml !== undefined) writeFileSync(join(dir, 'server.yaml'), yaml, { mode: 0o600 });
  return dir;
};
afterAll(() => made.forEach((dir) => rmSync(dir, { recursive: true })));

test('without file, environment and flags everything has its default', () => {
  expect(loadSettings({}, [])).toMatchObject({
    home: '/var/lib/strata-server',
    advertise: [],
    listen: { api: { host: '127.0.0.1', port: 7443 }, agents: { host: '0.0.0.0', port: 7444 }, artifacts: { port: 7445 }, enrollment: { port: 7446 } },
    database: { host: '/var/lib/strata-server/pg/run' },
    redis: { path: '/var/lib/strata-server/redis/redis.sock' },
    artifactDir: '/var/cache/strata/artifacts',
  });
});

test('flags come before the environment, and that before the file', () => {
  const dir = home('apiPort: 1000\nagentPort: 1001\nenrollPort: 1002\nadvertise: [10.0.0.1]\n');
  const settings = loadSettings({ STRATA_HOME: '/elsewhere', STRATA_API_PORT: '2000', STRATA_AGENT_PORT: '2001', STRATA_MIRRORS: '/a:/b' }, [
    '--home',
    dir,
    '--api-port',
    '3000',
    '--advertise',
    'a.example',
    '--advertise',
    '10.0.0.2,10.0.0.3',
  ]);
  expect(settings).toMatchObject({ home: dir, advertise: ['a.example', '10.0.0.2', '10.0.0.3'], mirrorDirs: ['/a', '/b'] });
  expect(settings.listen).toMatchObject({ api: { port: 3000 }, agents: { port: 2001 }, enrollment: { port: 1002 } });
});

test('a URL with a password comes from a file that is named', () => {
  const dir = home();
  writeFileSync(join(dir, 'url'), 'postgresql://u:secret@db/strata\n');
  expect(loadSettings({ STRATA_HOME: dir, DATABASE_URL_FILE: join(dir, 'url') }, []).database).toEqual({ url: 'postgresql://u:secret@db/strata' });
  expect(() => loadSettings({ STRATA_HOME: dir, REDIS_URL_FILE: join(dir, 'none') }, [])).toThrow(`REDIS_URL_FILE: ${dir}/none cannot be read (ENOENT)`);
});

test('each wrong setting is named with the place that it came from', () => {
  const dir = home('logLevel: loud\nprots: {}\n');
  const wrong = (): unknown =>
    loadSettings({ STRATA_API_PORT: 'x', DATABASE_URL: 'mysql://a/b', STRATA_NODE_ADDRESS: 'http://a' }, ['--home', dir, '--enroll-port', '70000']);
  for (const words of [
    'apiPort (STRATA_API_PORT): must be a port',
    'databaseUrl (DATABASE_URL): must look like postgresql://',
    'nodeAddress (STRATA_NODE_ADDRESS): must be an address',
    'enrollPort (--enroll-port)',
    `logLevel (${dir}/server.yaml)`,
    `prots (${dir}/server.yaml): there is no such setting`,
  ])
    expect(wrong).toThrow(words);
});

test('what cannot be read, and what cannot stand together, is refused', () => {
  const load =
    (dir: string, ...argv: string[]) =>
    () =>
      loadSettings({}, ['--home', dir, ...argv]);
  expect(load(home('apiPort: 1\napiPort: 2\n'))).toThrow('server.yaml:2');
  expect(load(home('- a\n'))).toThrow('must hold settings by name');
  expect(load(home('apiPort: 7444\n'))).toThrow('7444 is also apiPort');
  expect(load(home('home: /x\n'))).toThrow('a home cannot name another');
  expect(load(home(), '--prot', '1')).toThrow('the flags are --home');
  const open = home('redisUrl: redis://u:secret@cache:6379\n');
  chmodSync(join(open, 'server.yaml'), 0o644);
  expect(load(open)).toThrow(`chmod 600 ${open}/server.yaml`);
  expect(load(open)).not.toThrow('secret@');
});
test('docs/server.md has every setting', () => {
  const page = readFileSync(join(__dirname, '../../../docs/server.md'), 'utf8');
  const names = /there are (.*)$/m.exec(wordsOf(() => loadSettings({}, ['--home', home('nothing: 1\n')])))?.[1]?.split(', ') ?? [];
  expect(names.length).toBeGreaterThan(10);
  expect(names.filter((name) => name !== 'home' && !page.includes(`\`${name}\``))).toEqual([]);
});
const wordsOf = (call: () => unknown): string => {
  try {
    return String(call());
  } catch (error) {
    return String(error);
  }
};
