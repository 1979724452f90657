import { execFileSync } from 'node:child_process';
import { taskNamed } from '../registry';
import { MemoryHost, said, seedStorage, tryTask } from '../testing';
import { guardFiles } from './metadata-guard';
import { markFiles } from './mount-mark';
import { bucketAgainst, closedJuicefs, type Restoring } from './restore-programs';
import { sliceOf } from './storage-leave';
import { lossOf, quoted, raised, settingWith } from './storage-load';

const secret = (name: string): { $secret: string } => ({ $secret: `sample:${name}` });
const mark = '/var/lib/strata-metadata-mark';
const line = (words: string): string => `2026/11/28 23:32:40.143009 juicefs[2626] ${words}`;

describe('what a number must be above', () => {
  it('is every one that is known, by far', () => {
    const known = [{ nextchunk: 8192, nextinode: 2048, nextsession: 7 }, { nextchunk: 12_000_000 }, { nextinode: 5000, nextsession: 3 }];
    expect(raised(known)).toEqual({ nextchunk: 13_000_000, nextinode: 1_005_000, nextsession: 1007 });
  });
  it('has slices by the names of blocks, of the bucket and of a cache', () => {
    expect(['0/4/4097_0_29', '1024_3_4194304', 'x', '/a/b/9_0_1', '17_0'].map(sliceOf)).toEqual([4097, 1024, 0, 9, 0]);
  });
});

describe('the setting of a volume', () => {
  it('gets the key that a dump has not, and goes through redis-cli as one word', () => {
    const made = settingWith('{"Name": "strata-home", "UUID": "u", "AccessKey": "a", "SecretKey": "removed", "KeyEncrypted": true}', {
      access: 'b',
      secret: 'c',
    });
    expect(JSON.parse(made)).toEqual({ Name: 'strata-home', UUID: 'u', AccessKey: 'b', SecretKey: 'c', KeyEncrypted: false });
    expect(quoted('{"a": "\\n"}\n')).toBe('"{\\"a\\": \\"\\\\n\\"}\\n"');
  });
});

describe('a loss', () => {
  const report = { run: 'r', from: 'latest' as const, closed: '', before: 9, after: 9, lost: 0, lostBytes: 0, missing: 0, counters: { nextchunk: 1, nextinode: 1, nextsession: 1 } }; // prettier-ignore
  it.each([
    ['nothing', {}, 'info'],
    ['blocks that no file has', { lost: 1 }, 'warning'],
    ['blocks that files need', { missing: 1 }, 'warning'],
    ['files', { after: 8 }, 'warning'],
  ])('of %s is said', (_, more, severity) => {
    expect(lossOf({ ...report, ...more })).toMatchObject([{ severity }]);
  });
});

describe('the bucket against a database', () => {
  const context = (out: string, code = 0): Restoring => {
    const host = new MemoryHost();
    host.program('juicefs', () => said('', code, out));
    return { host, secret: () => 'a password', input: { cluster: 'home', node: 'n1', password: secret('password'), admin: secret('password') } };
  };
  it('tells the highest slice, also of blocks that are new, and what no file has', async () => {
    const out = [
      line('<DEBUG>: found block 0/0/1_0_29 [gc@gc.go:314]'),
      line('<DEBUG>: ignore new block: 0/8/8193_0_6 2026-11-28 [gc@gc.go:306]'),
      line('<INFO>: scanned 2 objects, 1 valid, 0 pending delete (0 bytes), 0 compacted (0 bytes), 1 leaked (6 bytes), 0 delslices (0 bytes), 0 skipped (0 bytes) [gc@gc.go:386]'), // prettier-ignore
    ].join('\n');
    expect(await bucketAgainst(closedJuicefs(context(out), 2))).toEqual({ highest: 8193, lost: 1, lostBytes: 6 });
  });
  it('is not guessed: a bucket that is not listed, or blocks that are not named, are a failure', async () => {
    await expect(bucketAgainst(closedJuicefs(context(line('<FATAL>: list all blocks: refused'), 1), 2))).rejects.toThrow(/could not be listed.*refused/);
    await expect(bucketAgainst(closedJuicefs(context(line('<INFO>: scanned 2 objects, 2 valid, 0 leaked (0 bytes)')), 2))).rejects.toThrow(
      /could not be listed/,
    );
  });
});

describe('storage.fence', () => {
  const input = { run: 'r-1', from: 'latest', admin: secret('password') };
  it('refuses a dump that is not there, and changes nothing', async () => {
    const host = new MemoryHost();
    seedStorage(host);
    host.files.put('/var/lib/strata-metadata-dumps/dump-3.json.gz', 'x');
    const found = host.snapshot();
    const { outcome, result } = await tryTask(taskNamed('storage.fence'), { host }, { input });
    expect([outcome, result.failure?.remedy]).toEqual(['refused', expect.stringContaining('dump-3.json.gz')]);
    expect(host.snapshot()).toEqual(found);
  });
  it('closes, and fails while a node is still connected', async () => {
    const host = new MemoryHost();
    seedStorage(host);
    const asked: string[] = [];
    host.files.put('/etc/systemd/system/strata-metadata.service', '[Service]\nExecStart=/x\n');
    let clients = 'id=3 addr=10.0.0.12:5000 user=node.n2 cmd=get';
    host.program('redis-cli', (_, { input: text = '' }) => {
      asked.push(...text.split('\n'));
      return said(text.includes('CLIENT LIST') ? clients : text.includes('PING') ? 'PONG' : 'OK\n1');
    });
    const order = { input: { ...input, from: 'current' } };
    expect((await tryTask(taskNamed('storage.fence'), { host }, order)).result.failure?.message).toMatch(/node\.n2 are still connected/);
    expect(host.files.text(`${mark}/closed`)).toBe('a restore is at work\n');
    clients = 'id=4 addr=127.0.0.1:5000 user=strata-admin cmd=client|list';
    expect((await tryTask(taskNamed('storage.fence'), { host }, order)).outcome).toBe('changed');
    expect(asked.indexOf('CONFIG SET bind 127.0.0.1')).toBeLessThan(asked.indexOf('CLIENT KILL TYPE normal SKIPME yes'));
    expect((await tryTask(taskNamed('storage.fence'), { host }, order)).outcome).toBe('satisfied');
  });
});

describe('storage.leave', () => {
  const input = { run: 'r-1', path: '/strata/rootfs', cache: '/var/cache/strata/juicefs' };
  const machine = (): MemoryHost => {
    const host = new MemoryHost();
    seedStorage(host);
    host.files.put(`${input.cache}/uuid/raw/chunks/0/4/4097_0_29`, 'block');
    host.files.put('/etc/strata/storage/juicefs/beat', '7\n');
    host.program('find', (argv, { onLine }) => {
      if (argv.includes('*/rawstaging/*')) return said();
      onLine?.('4097_0_29', 'stdout');
      return said('4097_0_29\n');
    });
    host.program('pgrep', () => said('', 1));
    return host;
  };
  it('wipes the cache and keeps the highest number that was in it', async () => {
    const host = machine();
    expect((await tryTask(taskNamed('storage.leave'), { host }, { input })).result.output).toEqual({ seen: 4097 });
    expect(await host.files.list(input.cache)).toEqual([]);
    expect(host.files.text('/etc/strata/storage/juicefs/beat')).toBeNull();
    expect((await tryTask(taskNamed('storage.leave'), { host }, { input })).result.output).toEqual({ seen: 4097 });
  });
  it('fails while some process still has the file system mounted', async () => {
    const host = machine();
    host.program('pgrep', () => said('77 /opt/strata/storage/bin/juicefs mount rediss://x /mnt\n'));
    expect((await tryTask(taskNamed('storage.leave'), { host }, { input })).result.failure?.message).toMatch(/still runs on this machine: 77/);
  });
});

test.each([
  ['of the metadata', guardFiles('10.0.0.11')],
  ['of one of two copies', guardFiles('10.0.0.11', '10.0.0.12')],
  ['of a node', markFiles({ path: '/strata/rootfs', node: 'n1' })],
])('the guard %s is a script that a shell can read', (_, files) => {
  expect(() => execFileSync('sh', ['-n'], { input: files[0]?.content })).not.toThrow();
});
