import { existsSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openStore, type Store } from '@strata/store';
import { Redis } from 'ioredis';
import { giveTree } from './home';
import { findProcesses, processOf } from './processes';
import type { PartName } from './status';
import { SupervisedHome } from './testing';

jest.setTimeout(120_000);
const names: PartName[] = ['postgres', 'redis', 'server'];
let home: SupervisedHome;
let supervisor: ReturnType<SupervisedHome['supervise']>;
let store: Store;
let redis: Redis;

beforeAll(async () => {
  home = await SupervisedHome.make();
  supervisor = home.supervise();
  await home.allRunning();
  store = openStore({ host: join(home.dir, 'pg/run'), user: 'strata', database: 'strata' });
  redis = new Redis({ path: join(home.dir, 'redis/redis.sock'), maxRetriesPerRequest: null });
  redis.on('error', () => undefined);
  await store.migrate();
});
afterAll(async () => {
  redis.disconnect();
  await store.close();
  if (processOf(supervisor.pid)) process.kill(supervisor.pid, 'SIGTERM');
  await supervisor.ended;
  home.remove();
});
const pids = (): number[] => names.map((name) => home.pid(name));
const processes = (): number[] => findProcesses((argv) => argv.some((word) => word.startsWith(home.dir))).map(({ pid }) => pid);

test('starts PostgreSQL and Redis, and the server only when both take connections', () => {
  expect(JSON.parse(home.read('run/needs.json'))).toEqual({ postgres: true, redis: true });
  const modes = Object.fromEntries(['.', 'secrets', 'run', 'logs', 'pg/run', 'pg/data', 'redis'].map((p) => [p, statSync(join(home.dir, p)).mode & 0o777]));
  expect(modes).toEqual({ '.': 0o711, secrets: 0o700, run: 0o755, logs: 0o750, 'pg/run': 0o700, 'pg/data': 0o700, redis: 0o700 });
  expect(statSync(join(home.dir, 'redis/redis.sock')).mode & 0o777).toBe(0o700);
  expect(home.status().supervisor).toMatchObject({ pid: supervisor.pid, state: 'running' });
});

test('a second supervisor is refused, and names the first', async () => {
  const { code, said } = await home.supervise().ended;
  expect(code).toBe(5);
  expect(said).toContain(`another supervisor (process ${supervisor.pid})`);
  expect(home.status().supervisor.pid).toBe(supervisor.pid);
});

test.each(names)('%s is back at once after kill -9, with its data', async (name) => {
  const epoch = await store.epochs.next('spec');
  await redis.set('spec', name);
  const [before, restarts] = [home.pid(name), home.status().parts[name].restarts];
  process.kill(before, 'SIGKILL');
  const took = await home.until(`${name} runs again`, () => home.status().parts[name].state === 'running' && home.pid(name) !== before);
  expect(took).toBeLessThan(5_000); // 0.1 to 1 s; a busy machine takes longer to start Node
  expect(home.status().parts[name]).toMatchObject({ restarts: restarts + 1, lastExit: { signal: 'SIGKILL' } });
  expect(await store.epochs.next('spec')).toBe(epoch + 1);
  expect(await redis.get('spec')).toBe(name);
});

test('a supervisor that was killed leaves all running; the next one takes them over and watches them', async () => {
  const before = pids();
  process.kill(supervisor.pid, 'SIGKILL');
  await supervisor.ended;
  supervisor = home.supervise();
  await home.until(
    'the new one keeps all',
    () => home.status().supervisor.pid === supervisor.pid && names.every((n) => home.status().parts[n].state === 'running'),
  );
  expect(pids()).toEqual(before);
  for (const name of names) expect(home.status().parts[name]).toMatchObject({ adopted: true, restarts: 0 });
  process.kill(before[1] ?? 0, 'SIGKILL');
  await home.until('Redis runs again', () => home.pid('redis') !== before[1] && home.status().parts.redis.state === 'running', 5_000);
  expect(home.status().parts.redis.adopted).toBe(false);
  expect(home.pid('postgres')).toBe(before[0]);
});

test('a part that crashes at once is tried again more and more slowly, with the reason', async () => {
  writeFileSync(join(home.dir, 'crash'), '');
  process.kill(home.pid('server'), 'SIGKILL');
  await home.until('some restarts', () => home.status().parts.server.restarts >= 5);
  expect(home.status().parts.server.lastExit).toMatchObject({ code: 3, because: 'ended with exit status 3: the file crash is there' });
  expect(home.read('logs/supervisor.log')).toMatch(/server: ended with exit status 3.*\n?.*started again in 200 ms/);
  rmSync(join(home.dir, 'crash'));
  await home.allRunning();
});

test('a server with other settings is replaced, not taken over', async () => {
  const before = pids();
  process.kill(supervisor.pid, 'SIGKILL');
  await supervisor.ended;
  supervisor = home.supervise('--advertise', '10.9.8.7');
  await home.until('the new server runs', () => home.status().supervisor.pid === supervisor.pid && home.pid('server') !== before[2] && home.status().parts.server.state === 'running'); // prettier-ignore
  expect(pids().slice(0, 2)).toEqual(before.slice(0, 2));
  expect(processOf(before[2] ?? 0)).toBeUndefined();
});

test('SIGTERM ends the server, then Redis, then PostgreSQL, and leaves no process; the next start has the data', async () => {
  const epoch = await store.epochs.next('spec');
  process.kill(supervisor.pid, 'SIGTERM');
  expect((await supervisor.ended).code).toBe(0);
  expect(processes()).toEqual([]);
  expect(home.status()).toMatchObject({ supervisor: { state: 'stopped' }, parts: { postgres: { state: 'stopped', pid: null } } });
  expect(existsSync(join(home.dir, 'run/supervisor.pid'))).toBe(false);
  expect(
    home
      .read('logs/supervisor.log')
      .match(/\w+: stopped$/gm)
      ?.slice(-4),
  ).toEqual(['server: stopped', 'redis: stopped', 'postgres: stopped']);
  expect(home.read('logs/postgres.log')).toContain('database system is shut down');
  if (process.getuid?.() === 0) for (const dir of ['pg/data', 'redis']) giveTree(join(home.dir, dir), { uid: 12345, gid: 12345 }); // as if copied from another machine
  supervisor = home.supervise();
  await home.allRunning();
  expect(await store.epochs.next('spec')).toBe(epoch + 1);
  expect(await redis.get('spec')).toBe('server');
});

test('what cannot be started at all ends the supervisor with words, and so does SIGTERM while it starts', async () => {
  const other = await SupervisedHome.make();
  mkdirSync(join(other.dir, 'pg/data'), { recursive: true });
  writeFileSync(join(other.dir, 'pg/data/PG_VERSION'), '13\n');
  const { code, said } = await other.supervise().ended;
  expect({ code, said }).toMatchObject({ code: 1, said: expect.stringContaining('belongs to PostgreSQL 13') as string });
  rmSync(join(other.dir, 'pg'), { recursive: true });
  const early = other.supervise();
  await other.until('the server waits for its databases', () => other.status().supervisor.pid === early.pid);
  process.kill(early.pid, 'SIGTERM');
  expect((await early.ended).code).toBe(0);
  expect(findProcesses((argv) => argv.some((word) => word.startsWith(other.dir)))).toEqual([]);
  const wrong = await other.supervise('--api-port', 'x').ended;
  expect(wrong).toMatchObject({ code: 2, said: expect.stringContaining('apiPort (--api-port)') as string });
  other.remove();
});
