import type { Finding } from '@strata/model';
import { lookAtStorage } from '../storage-health';
import { taskNamed } from '../registry';
import { MemoryHost, nativeSamples, said, seedStorage, tryTask } from '../testing';
import type { MemoryMetadata } from '../testing/memory-metadata';
import { environmentIn, environmentText } from './mount-told';

const url = 'postgres://strata@db.example:5432/strata';
const redis = 'rediss://strata@meta.example:6380/1';
const pem = (text: string): string => `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`;
const password = { $secret: 'sample:password' };
const dry = { $secret: 'nobody:gave' };
type Ran = Awaited<ReturnType<typeof tryTask>>;
const run = (host: MemoryHost, task: string, input: unknown): Promise<Ran> => tryTask(taskNamed(task), { host }, { input });
const machine = (): MemoryHost => {
  const host = new MemoryHost();
  seedStorage(host);
  return host;
};

describe('metadata.check', () => {
  const input = (place = url): object => ({ cluster: 'home', node: 'n1', place: { url: place }, password });
  async function checked(prepare: (m: MemoryMetadata) => void, place = url): Promise<{ host: MemoryHost; ran: Ran; finding: Finding | undefined }> {
    const host = new MemoryHost();
    prepare(host.metadata);
    const ran = await run(host, 'metadata.check', input(place));
    return { host, ran, finding: ran.result.findings?.[0] };
  }
  it.each([['PostgreSQL', url], ['Redis', redis]])('takes an empty %s, and one with our volume', async (_, place) => {
    for (const prepare of [(): void => undefined, (m: MemoryMetadata) => void m.format('strata-home')]) {
      const { host, ran } = await checked(prepare, place);
      expect([ran.outcome, ran.result.findings]).toEqual(['satisfied', []]);
      expect(host.effects.done).toEqual(['metadata.trial strata-home.preflight/n1']);
    }
  }); // prettier-ignore
  it.each<[string, string, (m: MemoryMetadata) => void, string?]>([
    ['nobody there', 'storage.unreachable', (m) => (m.refuses = () => 'unreachable')],
    ['a certificate that nobody trusts', 'storage.untrusted', (m) => (m.refuses = () => 'tls')],
    ['a database without TLS', 'storage.no-tls', (m) => (m.refuses = () => 'no-tls')],
    ['a wrong password', 'storage.wrong-password', (m) => (m.password = 'another')],
    ['a wrong password of a Redis', 'storage.wrong-password', (m) => (m.password = 'another'), redis],
    ['a user who may not come from here', 'storage.wrong-password', (m) => (m.refuses = () => '28000')],
    ['no such database', 'storage.no-database', (m) => (m.refuses = () => '3D000')],
    ['a user who may not look', 'storage.no-read', (m) => (m.refuses = () => 'NOPERM'), redis],
    ['a Redis Cluster', 'storage.redis-cluster', (m) => (m.refuses = () => 'cluster'), redis],
    ['a volume of another name', 'storage.foreign-volume', (m) => m.format('strata-home2')],
    ['tables of others', 'storage.foreign-metadata', (m) => m.others.add('public.users')],
    ['a Redis that drops keys', 'storage.drops-keys', (m) => (m.policy = 'allkeys-lru'), redis],
  ])('refuses %s before it writes anything', async (...[, code, prepare, place = url]) => {
    const { host, ran, finding } = await checked(prepare, place);
    expect([ran.outcome, finding?.code, finding?.remedy === '']).toEqual(['refused', code, false]);
    expect(host.effects.done).toEqual([]);
  });
  it.each<[string, string, string, string?]>([
    ['a user who may not make tables', 'storage.read-only', '42501'],
    ['a standby', 'storage.read-only', '25006'],
    ['a replica', 'storage.read-only', 'READONLY', redis],
    ['a user who may not write keys', 'storage.read-only', 'NOPERM', redis],
    ['a full disk', 'storage.no-space', '53100'],
    ['a full memory', 'storage.no-space', 'OOM', redis],
  ])('refuses %s', async (...[, code, word, place = url]) => {
    const { ran, finding } = await checked((m) => (m.refuses = (call) => (call === 'trial' ? word : null)), place);
    expect([ran.outcome, finding?.code]).toEqual(['refused', code]);
  });
  it('refuses a database that spoils what it takes', async () => {
    expect((await checked((m) => (m.spoils = true))).finding?.code).toBe('storage.unfaithful');
  });
  it('warns of a Redis that does not tell its policy, and goes on', async () => {
    const { ran, finding } = await checked((m) => (m.policy = null), redis);
    expect([ran.outcome, finding?.severity, finding?.code]).toEqual(['satisfied', 'warning', 'storage.policy-unknown']);
  });
  it('tries again while the database only starts, and gives up in words', async () => {
    let [starts, breaks] = [2, 2];
    expect((await checked((m) => (m.refuses = () => (starts-- > 0 ? '57P03' : null)))).ran.outcome).toBe('satisfied');
    expect((await checked((m) => (m.refuses = () => (breaks-- > 0 ? 'unreachable' : null)))).ran.outcome).toBe('satisfied');
    const { ran } = await checked((m) => (m.refuses = () => '57P03'));
    expect(ran.result.failure?.message).toMatch(/for the metadata to let us look; last seen: .*57P03/);
  });
  it('only says so in an order without the password', async () => {
    const { outcome, result } = await run(new MemoryHost(), 'metadata.check', { ...input(), password: dry });
    expect([outcome, result.findings?.[0]?.code]).toEqual(['satisfied', 'storage.untried']);
  });
});

describe('storage.format', () => {
  const input = {
    cluster: 'home',
    node: 'n1',
    objects: 'seaweedfs',
    external: { url, caPem: pem('theirs') },
    caPem: pem('ours'),
    password,
    access: password,
    secret: password,
  };
  const formatting = (host: MemoryHost): { env: Record<string, string | undefined>[]; trusted: (string | null)[] } => {
    const seen = { env: [] as Record<string, string | undefined>[], trusted: [] as (string | null)[] };
    host.program('juicefs', (_, { env = {} }) => {
      seen.env.push(env);
      seen.trusted.push(host.files.text(env.SSL_CERT_FILE ?? ''));
      host.metadata.format('strata-home');
      return said();
    });
    return seen;
  };
  it('makes the volume there once; the password goes by the environment, and no file stays', async () => {
    const host = machine();
    const before = host.snapshot();
    const seen = formatting(host);
    expect((await run(host, 'storage.format', input)).outcome).toBe('changed');
    expect((await run(host, 'storage.format', input)).outcome).toBe('satisfied');
    expect(host.runs.map((argv) => argv.slice(1))).toEqual([['format', '--storage', 's3', '--bucket', 'https://objects.home.strata.internal:8333/home-rootfs', '--trash-days', '7', '--enable-acl', `${url}?sslmode=verify-full`, 'strata-home']]);
    expect([seen.env[0]?.META_PASSWORD, seen.trusted]).toEqual(['a password', [pem('theirs') + pem('ours')]]);
    expect(JSON.stringify(host.runs)).not.toContain('a password');
    expect(host.snapshot()).toEqual(before);
  }); // prettier-ignore
  it('takes a volume of ours, and refuses another one and one whose objects it has no key for', async () => {
    const host = machine();
    host.metadata.format('strata-home');
    expect((await run(host, 'storage.format', input)).outcome).toBe('satisfied');
    host.metadata.format('strata-else');
    expect((await run(host, 'storage.format', input)).result.failure?.message).toMatch(/postgres:[^]* holds the volume strata-else/);
    host.metadata.format('strata-home', { AccessKey: 'of another' });
    expect((await run(host, 'storage.format', input)).result.failure?.message).toMatch(/key of another control server/);
    expect(host.runs).toEqual([]);
  });
  it('is known without the password by the mount of this very database', async () => {
    const host = machine();
    const look = { ...input, password: dry };
    const looked = async (): Promise<unknown> => (await tryTask(taskNamed('storage.format'), { host }, { action: 'check', input: look })).result;
    expect(JSON.stringify(await looked())).toContain('there is no volume yet');
    const mount = nativeSamples.find((s) => s.task === 'juicefs.mount')?.input as object;
    await run(host, 'juicefs.mount', { ...mount, external: { url } });
    expect(JSON.stringify(await looked())).not.toContain('there is no volume yet');
  });
});

describe('juicefs.mount', () => {
  const mount = nativeSamples.find((s) => s.task === 'juicefs.mount')?.input as object;
  it('asks the database that it is told, trusts both authorities, and is begun anew with another password', async () => {
    const host = machine();
    const input = { ...mount, external: { url: redis, caPem: pem('theirs') } };
    await run(host, 'juicefs.mount', input);
    const unit = host.files.text('/etc/systemd/system/strata-juicefs.service') ?? '';
    expect(unit).toContain(`${redis} /strata/rootfs`);
    expect(host.files.text('/etc/strata/storage/juicefs/env')).toBe('META_PASSWORD="a password"\nSSL_CERT_FILE=/etc/strata/storage/juicefs/trust.pem\n');
    expect(host.files.text('/etc/strata/storage/juicefs/trust.pem')).toContain('theirs');
    expect(host.files.text('/etc/strata/storage/juicefs/ca.pem')).toBeNull();
    const pid = (await host.units.state('strata-juicefs.service')).mainPid;
    expect((await run(host, 'juicefs.mount', input)).outcome).toBe('satisfied');
    expect((await run(host, 'juicefs.mount', { ...input, password: { $secret: 'sample:identity' } })).outcome).toBe('changed');
    expect((await host.units.state('strata-juicefs.service')).mainPid).not.toBe(pid);
  });
  it('has no authority but the machine’s own where none is named and nothing is ours', async () => {
    const host = machine();
    const { caPem: _, ...rest } = mount as { caPem: string };
    const s3 = { endpoint: 'https://s3.example', region: 'eu-1', bucket: 'ours' };
    await run(host, 'juicefs.mount', { ...rest, s3, external: { url } });
    expect(host.files.text('/etc/strata/storage/juicefs/env')).toBe('META_PASSWORD="a password"\nAWS_REGION=eu-1\n');
    expect(host.files.text('/etc/strata/storage/juicefs/trust.pem')).toBeNull();
  });
  it('keeps every password as it is', () => {
    for (const value of ['plain', 'a"b', "a'b", '$HOME', 'a\\nb', '`x`', '#x', 'a=b;c'])
      expect(environmentIn(environmentText({ META_PASSWORD: value, SSL_CERT_FILE: '/a/b.pem' }))).toEqual({ META_PASSWORD: value, SSL_CERT_FILE: '/a/b.pem' });
    expect(environmentText({ A: 'a"$b' })).toBe('A="a\\"\\$b"\n');
  });
  it('tells the status whether the database answers this node', async () => {
    const host = machine();
    await run(host, 'juicefs.mount', { ...mount, external: { url } });
    const look = async (): Promise<unknown> => (await lookAtStorage(host, { ask: { path: '/strata/rootfs', objectsUrl: 'https://x/' }, mount: null })).external;
    expect(await look()).toMatchObject({ answers: false, words: expect.stringMatching(/holds no volume/) as string });
    host.metadata.format('strata-home');
    expect(await look()).toEqual({ answers: true, words: 'it answers' });
    host.metadata.refuses = () => 'unreachable';
    expect(await look()).toMatchObject({ answers: false, words: expect.stringMatching(/unreachable/) as string });
    const own = machine();
    await run(own, 'juicefs.mount', mount);
    expect((await lookAtStorage(own, { ask: { path: '/strata/rootfs', objectsUrl: 'https://x/' }, mount: null })).external).toBeNull();
  });
});

describe('metadata.raise', () => {
  const input = { run: 'r-1', cluster: 'home', external: { url }, password, seen: [700, 3] };
  const listing = (host: MemoryHost): void =>
    host.program('juicefs', (argv) =>
      said('', 0, argv.includes('gc') ? '<DEBUG>: found block 0/8/8193_0_6 [gc]\n<INFO>: scanned 2 objects, 1 valid, 1 leaked (6 bytes)' : ''),
    );
  it('counts above the bucket, the caches and the database, once a run, and says what is lost', async () => {
    const host = machine();
    host.metadata.format('strata-home').counts = { nextchunk: 90, nextinode: 40, nextsession: 5, files: 12 };
    listing(host);
    const { outcome, result } = await run(host, 'metadata.raise', input);
    expect([outcome, result.findings]).toEqual(['changed', [expect.objectContaining({ code: 'storage.loss', message: expect.stringMatching(/with somebody else[^]*1 blocks \(6 bytes\)/) as string })]]);
    expect(host.metadata.counts).toEqual({ nextchunk: 1_008_193, nextinode: 1_000_040, nextsession: 1005, files: 12 });
    expect((await run(host, 'metadata.raise', input)).outcome).toBe('satisfied');
    expect((await run(host, 'metadata.raise', { ...input, run: 'r-2' })).outcome).toBe('changed');
  }); // prettier-ignore
  it('is no help without a volume of this cluster, and changes nothing then', async () => {
    const host = machine();
    host.metadata.format('strata-else');
    listing(host);
    expect((await run(host, 'metadata.raise', input)).result.failure).toMatchObject({ code: 'no-volume' });
    expect(host.metadata.counts.nextchunk).toBe(1);
  });
  it('raises nothing while the bucket cannot be listed', async () => {
    const host = machine();
    host.metadata.format('strata-home');
    host.program('juicefs', () => said('', 1, '<FATAL>: list all blocks: refused'));
    expect((await run(host, 'metadata.raise', input)).result.failure).toMatchObject({ code: 'bucket-unread' });
    expect(host.metadata.counts.nextchunk).toBe(1);
  });
});

describe('storage.erase', () => {
  const input = { cluster: 'home', parts: [], metadata: { place: { url }, password } };
  it('takes our volume out of the database, and no other one', async () => {
    const host = machine();
    host.metadata.format('strata-home');
    host.metadata.others.add('public.users');
    expect((await run(host, 'storage.erase', input)).outcome).toBe('changed');
    expect([host.metadata.setting, [...host.metadata.others]]).toEqual([null, ['public.users']]);
    expect((await run(host, 'storage.erase', input)).outcome).toBe('satisfied');
    host.metadata.format('strata-else');
    expect((await run(host, 'storage.erase', input)).outcome).toBe('satisfied');
    expect(host.metadata.setting).toContain('strata-else');
  });
});
