import { createServer, type AddressInfo } from 'node:net';
import type { MetadataAccess, MetadataStore, MetadataStoreError } from '@strata/tasks';
import { MemoryHost } from '@strata/tasks/testing';
import { localMetadata } from './metadata-store';
import { OutsidePostgres, OutsideRedis } from './testing';

/** One database for metadata, whatever it is. */
interface Kind {
  at(): MetadataAccess;
  open(at: MetadataAccess): MetadataStore;
  /** As JuiceFS makes a volume. */
  format(setting: string): Promise<void>;
  foreign(name: string): Promise<void>;
  /** Everything that is in it, by name. */
  names(): Promise<string[]>;
  wrongPassword: string;
}
const setting = '{"Name": "strata-home", "Bucket": "b"}';
const password = String.raw`a$word"with\signs`;
let postgres: OutsidePostgres;
let redis: OutsideRedis;
let made = 0;

beforeAll(async () => {
  postgres = await OutsidePostgres.up('127.0.0.1');
  redis = await OutsideRedis.up('127.0.0.1');
  await redis.user('strata', password);
}, 60_000);
afterAll(async () => {
  await postgres.dispose();
  await redis.dispose();
});

async function inPostgres(): Promise<Kind> {
  const name = `strata${(made += 1)}`;
  await postgres.database(name, password);
  const sql = (text: string): Promise<unknown> => postgres.sql(name, `SET ROLE ${name}; ${text}`);
  return {
    at: () => ({ url: postgres.url(name, name), caPem: postgres.caPem, password }),
    open: localMetadata,
    format: async (text) => {
      await sql('CREATE TABLE jfs_setting (name text PRIMARY KEY, value text); CREATE TABLE jfs_counter (name text PRIMARY KEY, value bigint); CREATE TABLE jfs_node (inode bigint PRIMARY KEY)');
      await sql("INSERT INTO jfs_counter VALUES ('nextInode', 2), ('nextChunk', 1), ('nextSession', 0), ('totalInodes', 7)");
      await sql(`INSERT INTO jfs_setting VALUES ('format', '${text}')`);
    },
    foreign: async (table) => void (await sql(`CREATE TABLE "${table}" (x int)`)),
    names: () => postgres.tables(name),
    wrongPassword: '28P01',
  };
} // prettier-ignore
async function inRedis(): Promise<Kind> {
  const db = (made += 1);
  const set = (of: Record<string, string>): Promise<unknown> => redis.ask(db, (r) => r.mset(of));
  return Promise.resolve({
    at: () => ({ url: redis.url('strata', db), caPem: redis.caPem, password }),
    open: localMetadata,
    format: async (text) => void (await set({ setting: text, nextinode: '2', nextchunk: '1', totalInodes: '7', i1: 'x', c3_0: 'x', dirQuota: 'x' })),
    foreign: async (key) => void (await set({ [key]: 'x' })),
    names: async () => (await redis.ask(db, (r) => r.keys('*'))).sort(),
    wrongPassword: 'WRONGPASS',
  });
}
async function inMemory(): Promise<Kind> {
  const host = new MemoryHost();
  Object.assign(host.metadata, { password });
  return Promise.resolve({
    at: () => ({ url: 'postgres://strata@db.example/strata', password }),
    open: host.metadataStore,
    format: async (text) => {
      host.metadata.setting = text;
      host.metadata.counts.files = 7;
      return Promise.resolve();
    },
    foreign: async (name) => Promise.resolve(void host.metadata.others.add(name)),
    names: async () => Promise.resolve([...host.metadata.others]),
    wrongPassword: '28P01',
  });
}
const failed = (call: Promise<unknown>): Promise<MetadataStoreError> => call.then(() => Promise.reject(new Error('it did not fail')), (e: MetadataStoreError) => e); // prettier-ignore

describe.each([
  ['a PostgreSQL', inPostgres],
  ['a Redis', inRedis],
  ['the one in memory', inMemory],
])('%s keeps the contract of metadata with somebody else', (_, make) => {
  let kind: Kind;
  let store: MetadataStore;
  beforeEach(async () => {
    kind = await make();
    store = kind.open(kind.at());
  });
  it('has nothing at first, takes a trial, and is left as it was', async () => {
    expect(await store.look()).toMatchObject({ setting: null, others: [] });
    expect(await store.counters()).toMatchObject({ nextchunk: 0, nextinode: 0 });
    expect(await store.trial('strata-home.preflight/n-1', 'n1 was here')).toBe('n1 was here');
    expect(await kind.names()).toEqual([]);
  });
  it('names what is of others', async () => {
    await kind.foreign('users');
    expect((await store.look()).others).toEqual([expect.stringMatching(/users$/)]);
  });
  it('tells the volume that is there, and counts only upwards', async () => {
    await kind.format(setting);
    expect((await store.look()).setting).toBe(setting);
    await store.raise({ nextchunk: 500, nextinode: 1, nextsession: 9 });
    expect(await store.counters()).toEqual({ nextchunk: 500, nextinode: 2, nextsession: 9, files: 7 });
  });
  it('loses the volume alone, twice is fine', async () => {
    await kind.format(setting);
    await kind.foreign('users');
    await store.erase();
    await store.erase();
    expect([(await store.look()).setting, await kind.names()]).toEqual([null, ['users']]);
  });
  it('lets nobody in with another password', async () => {
    const error = await failed(kind.open({ ...kind.at(), password: 'not-this' }).look());
    expect(error.said).toBe(kind.wrongPassword);
    expect(error.message).not.toMatch(/not-this|signs/);
  });
});

describe('what a database says is told by its word', () => {
  const at = (url: string, more: Partial<MetadataAccess> = {}): MetadataStore => localMetadata({ url, password, caPem: postgres.caPem + redis.caPem, ...more });
  it('when it does not answer, or nobody trusts it', async () => {
    for (const url of [postgres.url('x', 'x'), redis.url('x', 1)]) {
      expect((await failed(at(url, { caPem: undefined }).look())).said).toBe('tls');
      expect((await failed(at(url.replace('127.0.0.1', 'localhost')).look())).said).toBe('tls'); // its certificate is of another name
    }
    for (const url of ['postgres://a@127.0.0.1:1/a', 'rediss://a@127.0.0.1:1/1']) expect((await failed(at(url).look())).said).toBe('unreachable');
  });
  it('when it answers too late', async () => {
    const silent = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as AddressInfo;
    for (const url of [`postgres://a@127.0.0.1:${port}/a`, `rediss://a@127.0.0.1:${port}/1`]) {
      const error = await failed(at(url, { deadlineMs: 200 }).look());
      expect([error.said, error.message]).toEqual(['unreachable', expect.stringContaining('within 0.2 s')]);
    }
    silent.close();
  });
  it('in a PostgreSQL: no such database, and a user who may only read', async () => {
    await postgres.database('owner', password);
    await postgres.sql('postgres', `CREATE ROLE reader LOGIN PASSWORD '${password}'`);
    expect((await failed(at(postgres.url('owner', 'nowhere')).look())).said).toBe('3D000');
    expect((await failed(at(postgres.url('reader', 'owner')).trial('t', 'x'))).said).toBe('42501');
    await postgres.sql('postgres', 'ALTER DATABASE owner SET default_transaction_read_only = on');
    expect((await failed(at(postgres.url('owner', 'owner')).trial('t', 'x'))).said).toBe('25006');
  });
  it('in a Redis: no such database, and a user who may only read or asks for nothing', async () => {
    await redis.user('reader', password, ['-@write', '+info']);
    await redis.user('silent', password, ['-info']);
    expect((await failed(at(redis.url('strata', 99)).look())).said).toBe('no-database');
    expect((await failed(at(redis.url('reader', 15)).trial('t', 'x'))).said).toBe('NOPERM');
    expect([(await at(redis.url('silent', 15)).look()).policy, (await at(redis.url('strata', 15)).look()).policy]).toEqual([null, 'noeviction']);
  });
  it('leaves tables of another volume, by their prefix, alone', async () => {
    await postgres.database('two', password);
    await postgres.sql('two', 'SET ROLE two; CREATE TABLE jfs_other_node (x int); CREATE TABLE jfs_node (x int)');
    const store = at(postgres.url('two', 'two'));
    expect((await store.look()).others).toEqual(['public.jfs_other_node']);
    await store.erase();
    expect(await postgres.tables('two')).toEqual(['jfs_other_node']);
  });
});
