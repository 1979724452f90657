import type { Finding } from '@strata/model';
import { taskNamed } from '../registry';
import { MemoryHost, tryTask } from '../testing';
import type { MemoryBucket } from '../testing/memory-bucket';

const key = { access: { $secret: 'sample:password' }, secret: { $secret: 'sample:password' } };
const place = { endpoint: 'https://s3.example', region: 'us-east-1', bucket: 'ours' };
const inputs = {
  'objects.check': { cluster: 'home', node: 'n1', place, ...key },
  'storage.erase': { cluster: 'home', parts: ['metadata', 'seaweedfs'], bucket: { place, ...key } },
} as const;
type Name = keyof typeof inputs;
function machine(task: Name): MemoryHost {
  const host = new MemoryHost();
  if (task === 'objects.check') return host;
  host.files.place('/var/lib/strata-metadata', { kind: 'directory', mode: 0o700, uid: 0, gid: 0 });
  host.files.put('/var/lib/private/strata-objects/1.dat', 'a volume');
  const keys = ['strata-home/chunks/1', 'strata-home/meta/dump', 'strata-home.preflight/n1', 'strata-homer/chunks/1', 'theirs'];
  for (const name of keys) host.objects.objects.set(name, name);
  return host;
}
const run = (host: MemoryHost, task: Name): ReturnType<typeof tryTask> => tryTask(taskNamed(task), { host }, { input: inputs[task] });
async function checked(prepare: (bucket: MemoryBucket) => void): Promise<{ host: MemoryHost; outcome: string; finding: Finding | undefined }> {
  const host = machine('objects.check');
  prepare(host.objects);
  const { outcome, result } = await run(host, 'objects.check');
  return { host, outcome, finding: result.findings?.[0] };
}

describe('objects.check', () => {
  it('writes, reads back and leaves nothing, beside a volume of its own', async () => {
    const { host, outcome } = await checked((b) => b.objects.set('strata-home/chunks/1', 'x'));
    expect(outcome).toBe('satisfied');
    expect(host.effects.done).toEqual(['bucket.put strata-home.preflight/n1', 'bucket.remove strata-home.preflight/n1']);
    expect([...host.objects.objects.keys()]).toEqual(['strata-home/chunks/1']);
  });
  it.each<[string, string, (b: MemoryBucket) => void]>([
    ['a wrong secret', 'storage.wrong-key', (b) => (b.refuses = () => 'SignatureDoesNotMatch')],
    ['a key that nobody knows', 'storage.wrong-key', (b) => (b.refuses = () => 'InvalidAccessKeyId')],
    ['a key that may not list', 'storage.wrong-key', (b) => (b.refuses = () => 'AccessDenied')],
    ['objects of others', 'storage.foreign-bucket', (b) => b.objects.set('photos/1.jpg', '')],
    ['a volume whose name begins like ours', 'storage.foreign-bucket', (b) => b.objects.set('strata-home2/chunks/1', '')],
    ['no such bucket', 'storage.no-bucket', (b) => (b.refuses = () => 'NoSuchBucket')],
    ['versioning', 'storage.versioned-bucket', (b) => (b.settings.versioning = 'Enabled')],
    ['object lock', 'storage.versioned-bucket', (b) => (b.settings['object-lock'] = 'Enabled')],
    ['a clock that is off', 'storage.clock-skew', (b) => ([b.refuses, b.skewMs] = [() => 'RequestTimeTooSkewed', -1_200_000])],
    ['another region', 'storage.wrong-region', (b) => (b.refuses = () => 'AuthorizationHeaderMalformed')],
    ['an authority that nobody trusts', 'storage.untrusted', (b) => (b.refuses = () => 'tls')],
    ['no way there', 'storage.unreachable', (b) => (b.refuses = () => 'unreachable')],
  ])('refuses %s before it writes anything', async (_, code, prepare) => {
    const { host, outcome, finding } = await checked(prepare);
    expect([outcome, finding?.code]).toEqual(['refused', code]);
    expect(finding?.remedy).not.toBe('');
    expect(host.effects.done).toEqual([]);
  });
  it.each<[string, string, (b: MemoryBucket) => void]>([
    ['a bucket that may only be read', 'storage.read-only', (b) => (b.refuses = (call) => (call === 'put' ? 'AccessDenied' : null))],
    ['a full one', 'storage.no-space', (b) => (b.refuses = (call) => (call === 'put' ? 'XMinioStorageFull' : null))],
    ['a key that may not read', 'storage.no-read', (b) => (b.refuses = (call) => (call === 'get' ? 'AccessDenied' : null))],
    ['a key that may not delete', 'storage.no-delete', (b) => (b.refuses = (call) => (call === 'remove' ? 'AccessDenied' : null))],
    ['a store that spoils what it takes', 'storage.unfaithful', (b) => (b.spoils = true)],
  ])('refuses %s', async (_, code, prepare) => {
    const { outcome, finding } = await checked(prepare);
    expect([outcome, finding?.code]).toEqual(['refused', code]);
  });
  it('sees versions that only the answer to a write tells of', async () => {
    const { outcome, finding, host } = await checked((b) => {
      b.settings = { versioning: null, 'object-lock': null };
      const as = b.as.bind(b);
      b.as = (...of) => ({ ...as(...of), put: async (key, text) => ({ ...(await as(...of).put(key, text)), version: 'v1' }) });
    });
    expect([outcome, finding?.code]).toEqual(['refused', 'storage.versioned-bucket']);
    expect(host.objects.objects.size).toBe(0);
  });
  it('says by how much the clock is off', async () => {
    const { finding } = await checked((b) => ([b.refuses, b.skewMs] = [() => 'RequestTimeTooSkewed', -1_200_000]));
    expect(finding?.message).toMatch(/this machine is 1200 s behind it/);
  });
  it('tries again while the store is only busy, and gives up in words', async () => {
    let [times, breaks] = [2, 1];
    expect((await checked((b) => (b.refuses = (call) => (call === 'put' && breaks-- > 0 ? 'unreachable' : null)))).outcome).toBe('satisfied');
    const busy = await checked((b) => (b.refuses = () => (times-- > 0 ? 'SlowDown' : null)));
    expect(busy.outcome).toBe('satisfied');
    const host = machine('objects.check');
    host.objects.refuses = () => 'InternalError';
    expect((await run(host, 'objects.check')).result.failure?.message).toMatch(/for the object store to list; last seen: .*InternalError/);
  });
});

describe('storage.erase', () => {
  it('deletes the data of its parts, and of the bucket only what is ours, a page at a time', async () => {
    const host = machine('storage.erase');
    host.objects.page = 1;
    expect((await run(host, 'storage.erase')).outcome).toBe('changed');
    expect([...host.objects.objects.keys()]).toEqual(['strata-homer/chunks/1', 'theirs']);
    expect([...host.files.tree.keys()].filter((path) => /strata-(metadata|objects)/.test(path))).toEqual([]);
    expect((await run(host, 'storage.erase')).outcome).toBe('satisfied');
  });
  it('goes on where an agent died, at each of its changes', async () => {
    for (let at = 1; ; at += 1) {
      const host = machine('storage.erase');
      host.effects.failAt(at);
      const first = await run(host, 'storage.erase');
      if (first.outcome === 'changed') return expect(at).toBeGreaterThan(4);
      expect(first.result.failure?.message).toContain('the agent died');
      host.effects.heal();
      expect((await run(host, 'storage.erase')).outcome).toBe('changed');
      expect([...host.objects.objects.keys()]).toEqual(['strata-homer/chunks/1', 'theirs']);
    }
  });
  it('deletes nothing under a service that still runs', async () => {
    const host = machine('storage.erase');
    host.units.seed('strata-metadata.service', { text: '[Service]\nExecStart=/bin/true\n', active: true });
    expect((await run(host, 'storage.erase')).result.failure).toMatchObject({ code: 'data-in-use' });
    expect(host.objects.objects.size).toBe(5);
  });
});
