import { taskNamed } from '../registry';
import { MemoryHost, nativeSamples, said, seedStorage, type SharedMemory, tryTask } from '../testing';
import { prunedUpdatedb } from './mount-files';

const inputOf = (task: string): Record<string, unknown> => nativeSamples.find((s) => s.task === task)?.input as Record<string, unknown>;
const run = (host: MemoryHost, task: string, input: unknown = inputOf(task)): ReturnType<typeof tryTask> => tryTask(taskNamed(task), { host }, { input });
function machine(): MemoryHost {
  const host = new MemoryHost();
  seedStorage(host);
  return host;
}

describe('metadata.redis', () => {
  it('puts a user in and takes one out without a restart, and no password or hash into arguments', async () => {
    const host = machine();
    const asked: string[] = [];
    host.program('redis-cli', (_, { input = '' }) => {
      asked.push(...input.split('\n'));
      return said(input.startsWith('ACL USERS') ? 'default\nstrata-admin\nnode.n9\n' : input.replace(/.+/g, (line) => (line === 'PING' ? 'PONG' : 'OK')));
    });
    await run(host, 'metadata.redis');
    const pid = (await host.units.state('strata-metadata.service')).mainPid;
    const users = inputOf('metadata.redis').users as object[];
    expect((await run(host, 'metadata.redis', { ...inputOf('metadata.redis'), users: users.slice(0, 1) })).outcome).toBe('changed');
    expect((await host.units.state('strata-metadata.service')).mainPid).toBe(pid);
    expect(asked).toContain('ACL DELUSER node.n9');
    expect(asked.find((line) => line.startsWith('ACL SETUSER node.n1'))).toMatch(/ reset on #(a0){32} ~\* &\* \+@all -@dangerous -@admin \+info$/);
    expect(JSON.stringify(host.runs)).not.toMatch(/a password|a0a0/);
    expect(host.files.text('/etc/strata/storage/metadata/users.acl')).not.toContain('n2');
    expect(host.files.text('/etc/strata/storage/metadata/users.acl')).toMatch(/^user default off resetpass ~\* &\* \+@all$/m); // or Redis loses transactions when it starts
  });
  it('refuses a Redis that cannot be closed and opened while it runs', async () => {
    const host = machine();
    host.program('redis-server', () => said('Redis server v=6.0.16 sha=00000000:0 malloc=jemalloc-5.2.1 bits=64\n'));
    expect((await run(host, 'metadata.redis')).result.failure).toMatchObject({ code: 'old-redis', message: expect.stringContaining('6.0.16') as string });
  });
  it('says what the metadata answers when it refuses its administrator', async () => {
    const host = machine();
    host.program('redis-cli', () => said('(error) WRONGPASS invalid username-password pair'));
    const { outcome, result } = await run(host, 'metadata.redis');
    expect([outcome, result.failure?.code, result.failure?.message]).toEqual(['failed', 'metadata-refuses', expect.stringContaining('WRONGPASS')]);
  });
  it('is not taken away by a run that only changed it', async () => {
    const host = machine();
    await run(host, 'metadata.redis');
    const changed = await run(host, 'metadata.redis', { ...inputOf('metadata.redis'), maxMemoryMiB: 2048 });
    await tryTask(taskNamed('metadata.redis'), { host }, { action: 'undo', input: inputOf('metadata.redis'), before: changed.result.before });
    expect((await host.units.state('strata-metadata.service')).active).toBe('active');
  });
});

describe('objects.seaweedfs', () => {
  it('fails when somebody without a key is answered', async () => {
    const host = machine();
    host.files.blobs.add((inputOf('objects.seaweedfs').artifact as { blob: { sha256: string } }).blob.sha256);
    host.http = () => ({ status: 200, body: '' });
    expect((await run(host, 'objects.seaweedfs')).result.failure).toMatchObject({ code: 'objects-open' });
  });
});

describe('storage.format', () => {
  const input = {
    cluster: 'home',
    node: 'n1',
    objects: 'seaweedfs',
    password: { $secret: 'sample:password' },
    access: { $secret: 'sample:password' },
    secret: { $secret: 'sample:password' },
  };
  it('makes the volume once, with secrets by the environment alone', async () => {
    const host = machine();
    expect((await run(host, 'storage.format', input)).outcome).toBe('changed');
    expect((await run(host, 'storage.format', input)).outcome).toBe('satisfied');
    expect(host.runs.filter((argv) => argv[1] === 'format')).toHaveLength(1);
    expect(JSON.stringify(host.runs)).not.toContain('a password');
    expect(await tryTask(taskNamed('storage.format'), { host }, { action: 'check', input: { ...input, password: { $secret: 'nobody:gave' } } })).toMatchObject({
      outcome: 'satisfied',
    });
  });
  it('refuses a volume of another name, and one whose objects it has no key for', async () => {
    const host = machine();
    const status = (name: string, key: string): string =>
      JSON.stringify({ Setting: { Name: name, Bucket: 'https://objects.home.strata.internal:8333/home-rootfs', AccessKey: key } });
    let [name, key] = ['strata-else', 'a password'];
    const formats: (readonly string[])[] = [];
    host.program('juicefs', (argv) => {
      if (argv[1] === 'format') [key] = ['a password', formats.push(argv)];
      return said(status(name, key));
    });
    expect((await run(host, 'storage.format', input)).result.failure?.message).toMatch(/holds the volume strata-else/);
    [name, key] = ['strata-home', 'of an earlier cluster'];
    expect((await run(host, 'storage.format', input)).result.failure?.message).toMatch(/key of another control server/);
    expect(formats).toHaveLength(0);
  });
  it('says why, when it cannot', async () => {
    const host = machine();
    host.program('juicefs', (argv) =>
      argv[1] === 'format' ? said('', 1, 'x <FATAL>: Storage s3://b is not empty') : said('', 1, '<FATAL>: database is not formatted'),
    );
    expect((await run(host, 'storage.format', input)).result.failure).toMatchObject({
      code: 'format-failed',
      message: expect.stringContaining('is not empty') as string,
    });
  });
});

describe('juicefs.mount', () => {
  it.each([
    ['data of the machine', (h: MemoryHost) => h.files.put('/strata/rootfs/common/mine', 'x'), /is data of this machine/],
    [
      'another mount',
      (h: MemoryHost) => void h.mounted.push({ path: '/strata/rootfs', device: '/dev/sdb1', type: 'ext4', options: [] }),
      /type ext4 is mounted/,
    ],
  ])('refuses a path with %s', async (_, prepare, says) => {
    const host = machine();
    prepare(host);
    const found = host.snapshot();
    expect((await run(host, 'juicefs.mount')).result.failure?.message).toMatch(says);
    expect(host.snapshot()).toEqual(found);
  });
  it('says what a machine without FUSE needs', async () => {
    const host = machine();
    host.files.place('/dev/fuse', null);
    expect((await run(host, 'juicefs.mount')).result.failure).toMatchObject({ code: 'no-fuse' });
  });
  it('keeps locate out once', () => {
    expect(prunedUpdatedb('PRUNEFS="nfs proc"\n')).toBe('PRUNEFS="fuse.juicefs nfs proc"\n');
    for (const text of ['', 'PRUNEFS="fuse.juicefs nfs"\n', 'PRUNEPATHS="/tmp"\n']) expect(prunedUpdatedb(text)).toBeNull();
  });
});

/** Two machines that show one tree. */
async function mountedBoth(shared: SharedMemory): Promise<[MemoryHost, MemoryHost]> {
  const both: [MemoryHost, MemoryHost] = [new MemoryHost('n1'), new MemoryHost('n2')];
  for (const host of both) seedStorage(host, shared);
  for (const host of both) await run(host, 'juicefs.mount');
  return both;
}
describe('the shared view', () => {
  const path = '/strata/rootfs';
  it('is read by all, and one that sees another tree is named with the writer', async () => {
    const shared: SharedMemory = { key: null, machines: [] };
    const [a, b] = await mountedBoth(shared);
    const { result } = await run(a, 'view.write', { path, node: 'n1' });
    const files = [{ node: 'n1', ...(result.output as { sha256: string }) }];
    expect((await run(b, 'view.read', { path, node: 'n2', files })).outcome).toBe('satisfied');
    shared.machines.splice(0, 1);
    const other = await run(b, 'view.read', { path, node: 'n2', files });
    expect(other.result.failure?.message).toMatch(/n2 does not see what n1 wrote: it finds no file/);
  });
  it('is verified anew in a run: the bucket grew, and all others see the lock that the writer holds', async () => {
    const shared: SharedMemory = { key: null, machines: [] };
    const [a, b] = await mountedBoth(shared);
    const { result } = await run(a, 'view.write', { path, node: 'n1', run: 'r1' });
    expect(result.failure).toBeUndefined();
    const files = [{ node: 'n1', ...(result.output as { sha256: string }) }];
    const read = (): ReturnType<typeof run> => run(b, 'view.read', { path, node: 'n2', run: 'r1', files });
    expect((await read()).result.findings).toEqual([expect.objectContaining({ code: 'storage.pair', message: expect.stringMatching(/^n1 to n2: \d+ ms .*; its lock is seen$/) as string })]); // prettier-ignore
    shared.locked?.clear();
    expect((await read()).result.failure?.message).toMatch(/n2 does not see the lock that n1 holds/);
    a.program('cat', () => said('juicefs_object_request_data_bytes_PUT 7\n'));
    expect((await run(a, 'view.write', { path, node: 'n1', run: 'r2' })).result.failure).toMatchObject({ code: 'bucket-did-not-grow' });
  });
  it('is no view where the path is something else', async () => {
    const host = machine();
    host.mounted.push({ path, device: '/dev/sdb1', type: 'ext4', options: ['bind'] });
    expect((await run(host, 'view.write', { path, node: 'n1' })).result.failure?.message).toMatch(/a mount of type ext4, not the shared file system/);
  });
  it('says so when the file system does not answer', async () => {
    const host = machine();
    await run(host, 'juicefs.mount');
    host.program('stat', () => said('', 1, "stat: cannot statx '/strata/rootfs': Transport endpoint is not connected"));
    expect((await run(host, 'view.write', { path, node: 'n1' })).result.failure?.message).toMatch(/not connected/);
  });
});
