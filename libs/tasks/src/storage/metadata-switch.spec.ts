import { taskNamed } from '../registry';
import { MemoryHost, said, seedStorage, tryTask } from '../testing';
import { lacking } from './metadata-lead';

const secret = (name: string): { $secret: string } => ({ $secret: `sample:${name}` });
const began = Date.UTC(2026, 0, 1) / 1000; // the simulated clock's
const mark = '/var/lib/strata-metadata-mark';
const counts = { beat: 10, nextchunk: 4096, nextinode: 2048, nextsession: 7, files: 12, keys: 40 };

/** A machine with one of the two copies: what its Redis and the other one say, and all that was asked. */
interface Copy {
  host: MemoryHost;
  asked: string[];
  /** Lines of `INFO replication`. */
  info: string[];
  other: string;
  paired: string;
  now: typeof counts;
}
function copy(role: 'primary' | 'replica'): Copy {
  const host = new MemoryHost();
  seedStorage(host);
  host.files.put(`${mark}/role`, `${role}\n`);
  host.units.seed('strata-metadata.service', { active: true, enabled: true });
  host.program('sh', () => said());
  const of: Copy = { host, asked: [], info: [], other: 'slave', paired: `10.0.0.13 ${began + 5}`, now: counts };
  of.info = role === 'primary' ? ['role:master', 'slave0:ip=10.0.0.13,port=6390,state=online,offset=9,lag=0'] : following;
  host.program('redis-cli', (argv, { input = '' }) => {
    if (argv.includes('strata-replica')) return of.other === '' ? said('', 1, 'Could not connect') : said(`${of.other}\n0\n`);
    let name = '';
    const answer = (line: string): string => {
      of.asked.push(line);
      if (line.startsWith('FAILOVER')) [of.info, of.other] = [following, 'master'];
      if (line === 'REPLICAOF NO ONE') of.info = ['role:master'];
      if (line.startsWith('ECHO ')) return (name = line.slice(5));
      if (line === 'GET strata-paired') return of.paired;
      if (line.startsWith('GET ') || line === 'DBSIZE') return String(of.now[name as keyof typeof counts]);
      return line === 'PING' ? 'PONG' : line === 'INFO replication' ? of.info.join('\n') : line.startsWith('CLIENT LIST') ? 'id=4 user=strata-admin' : 'OK';
    };
    return said(input.split('\n').filter(Boolean).map(answer).join('\n')); // prettier-ignore
  });
  return of;
}
const following = ['role:slave', 'master_host:10.0.0.13', 'master_link_status:up', 'master_last_io_seconds_ago:1', 'master_sync_in_progress:0'];
const run = (of: Copy, task: string, input: object): ReturnType<typeof tryTask> => tryTask(taskNamed(task), { host: of.host }, { input });

describe('metadata.handover', () => {
  const input = { run: 'r-1', admin: secret('password'), peer: { address: '10.0.0.13', password: secret('password') } };
  it('counts while writes wait, and lets the replica take the lead before anybody is let in again', async () => {
    const of = copy('primary');
    const { outcome, result } = await run(of, 'metadata.handover', input);
    expect([outcome, result.output]).toEqual(['changed', { counts }]);
    const at = (line: string): number => of.asked.findIndex((l) => l.startsWith(line));
    expect([at('CLIENT PAUSE') < at('DBSIZE'), at('DBSIZE') < at('FAILOVER TO 10.0.0.13 6390'), at('FAILOVER') < at('CLIENT UNPAUSE')]).toEqual([true, true, true]); // prettier-ignore
    expect(of.host.files.text(`${mark}/role`)).toBe('replica\n');
    expect((await run(of, 'metadata.handover', input)).outcome).toBe('satisfied');
  });
  it.each([
    ['whose replica is away', (of: Copy) => (of.info = ['role:master']), /replica on 10\.0\.0\.13 is not in step/],
    ['whose replica was never in step', (of: Copy) => of.host.files.put(`${mark}/alone`, ''), /is not in step/],
    ['that is closed', (of: Copy) => of.host.files.put(`${mark}/closed`, 'they went back\n'), /let nobody in: they went back/],
  ])('is refused by a primary %s, and asks for no change', async (_, spoil, words) => {
    const of = copy('primary');
    spoil(of);
    const { outcome, result } = await run(of, 'metadata.handover', input);
    expect([outcome, result.failure?.message]).toEqual(['refused', expect.stringMatching(words)]);
    expect(of.asked.filter((l) => /PAUSE|FAILOVER|SET/.test(l))).toEqual([]);
  });
  it('goes on where Redis was begun anew after it had given the lead away', async () => {
    const of = copy('primary');
    of.host.files.put(`${mark}/handed`, JSON.stringify({ run: 'r-1', counts }));
    of.host.files.put(`${mark}/closed`, 'the metadata on 10.0.0.13 are in use\n');
    [of.info, of.other] = [['role:master'], 'master'];
    of.host.program('redis-cli', followsWhenTold(of));
    expect((await run(of, 'metadata.handover', input)).outcome).toBe('changed');
    expect([of.host.files.text(`${mark}/role`), of.host.files.text(`${mark}/closed`), of.asked.some((l) => l.startsWith('FAILOVER'))]).toEqual(['replica\n', null, false]); // prettier-ignore
  });
});
const followsWhenTold =
  (of: Copy) =>
  (argv: readonly string[], { input = '' }: { input?: string }): ReturnType<typeof said> => {
    if (argv.includes('strata-replica')) return said(`${of.other}\n`);
    of.asked.push(...input.split('\n'));
    if (input.startsWith('REPLICAOF')) of.info = following;
    return said(input.startsWith('INFO') ? of.info.join('\n') : 'OK');
  };

describe('metadata.lead', () => {
  const input = { run: 'r-1', cluster: 'home', admin: secret('password'), counts };
  it('leads with every number that the other one had, and says so', async () => {
    const of = copy('replica');
    of.info = ['role:master'];
    of.now = { ...counts, beat: 11 };
    const { outcome, result } = await run(of, 'metadata.lead', input);
    expect([outcome, of.host.files.text(`${mark}/role`)]).toEqual(['changed', 'primary\n']);
    expect(of.host.files.text(`${mark}/volume`)).toBe('strata-home\n'); // or the next plan would make one
    expect(result.findings).toMatchObject([
      { severity: 'info', message: expect.stringMatching(/^nothing was lost: .*12 files and folders in 40 keys/) as string },
    ]);
  });
  it('does not with less', async () => {
    const of = copy('replica');
    of.now = { ...counts, files: 11 };
    expect((await run(of, 'metadata.lead', input)).result.failure?.message).toMatch(/files was 12 and is 11/);
    expect(of.host.files.text(`${mark}/role`)).toBe('replica\n');
    expect(lacking(counts, { ...counts, beat: 9 })).toEqual(['beat was 10 and is 9']);
  });
});

describe('metadata.release', () => {
  const input = { run: 'r-1', admin: secret('password') };
  it.each([
    ['replica', 'CLIENT KILL TYPE normal SKIPME yes'],
    ['primary', 'CLIENT UNPAUSE'],
  ] as const)('on what is the %s now', async (role, command) => {
    const of = copy(role);
    expect((await run(of, 'metadata.release', input)).outcome).toBe('changed');
    expect(of.asked).toEqual([command]);
    expect((await run(of, 'metadata.release', input)).outcome).toBe('satisfied');
  });
});

describe('metadata.take-over', () => {
  const input = { run: 'r-1', admin: secret('password'), address: '10.0.0.13', peer: { address: '10.0.0.12', password: secret('password') }, old: false };
  it('follows nobody, is closed, and waits until a primary that is cut off has stopped', async () => {
    const of = copy('replica');
    of.other = '';
    expect((await run(of, 'metadata.take-over', input)).outcome).toBe('changed');
    expect(of.host.files.text(`${mark}/closed`)).toBe(
      'taken over by the replica on this machine from 10.0.0.12; it was in step at 2026-01-01T00:00:05Z, and it heard of it last 1 s before',
    );
    expect([of.host.files.text(`${mark}/role`), of.host.files.text(`${mark}/alone`)]).toEqual(['primary\n', '']);
    expect(of.asked.indexOf('REPLICAOF NO ONE')).toBeLessThan(of.asked.indexOf('DEL strata-paired'));
    expect((await run(of, 'metadata.take-over', input)).outcome).toBe('satisfied');
  });
  it('is refused with a copy that was in step last long ago, unless that is said to be fine', async () => {
    const of = copy('replica');
    [of.other, of.paired] = ['', `10.0.0.13 ${began - 7_300}`];
    const { outcome, result } = await run(of, 'metadata.take-over', input);
    expect([outcome, result.failure?.message, result.failure?.remedy]).toEqual(['refused', expect.stringMatching(/in step last \S+, 2 hours ago/), expect.stringMatching(/failover --force/)]); // prettier-ignore
    expect((await run(of, 'metadata.take-over', { ...input, old: true })).outcome).toBe('changed');
  });
  it.each([
    ['while the primary answers', (of: Copy) => (of.other = 'master'), /answer, and are the primary/],
    ['where it was never in step', (of: Copy) => ([of.other, of.paired] = ['', '']), /never in step/],
    ['where there is no replica', (of: Copy) => of.host.files.put(`${mark}/role`, 'primary\n'), /are no replica/],
  ])('is refused %s', async (_, spoil, words) => {
    const of = copy('replica');
    spoil(of);
    const { outcome, result } = await run(of, 'metadata.take-over', input);
    expect([outcome, result.failure?.message]).toEqual(['refused', expect.stringMatching(words)]);
    expect(of.asked.filter((l) => /REPLICAOF|SET|DEL/.test(l))).toEqual([]);
  });
});

describe('metadata.stepdown', () => {
  const input = { path: '/strata/rootfs', cache: '/var/cache/strata/juicefs', peer: { address: '10.0.0.12', password: secret('password') } };
  const files = '/var/lib/strata-metadata/appendonlydir';
  const old = (): Copy => {
    const of = copy('primary');
    of.host.files.put(`${files}/a.aof`, 'what only this machine has');
    of.host.files.put(`${mark}/closed`, 'the metadata on 10.0.0.12 are in use\n');
    of.host.files.put('/etc/strata/storage/juicefs/beat', '7\n');
    of.host.program('pgrep', () => said('', 1));
    return of;
  };
  it('puts aside what it had, and leaves', async () => {
    const of = old();
    of.other = 'master';
    expect((await run(of, 'metadata.stepdown', input)).outcome).toBe('changed');
    expect(of.host.files.text(`${files}.before-replica/a.aof`)).toBe('what only this machine has');
    for (const note of [`${mark}/closed`, `${mark}/role`, '/etc/strata/storage/juicefs/beat']) expect(of.host.files.text(note)).toBeNull();
    expect((await run(of, 'metadata.stepdown', input)).outcome).toBe('satisfied');
  });
  it('touches nothing while the other one is not the primary', async () => {
    const of = old();
    expect((await run(of, 'metadata.stepdown', input)).result.failure?.message).toMatch(/do not say that they are the primary/);
    expect(of.host.files.text(`${files}/a.aof`)).not.toBeNull();
  });
});

describe('metadata.redis with another copy', () => {
  const shared = { cluster: 'home', address: '10.0.0.11', maxMemoryMiB: 1024, identity: secret('identity'), admin: secret('password'), adminHash: secret('hash'), users: [] };
  const peer = (role: string): object => ({ ...shared, peer: { role, address: '10.0.0.13', password: secret('password'), hash: secret('hash') } });
  it('never makes a replica of a primary, nor the other way round', async () => {
    expect((await run(copy('primary'), 'metadata.redis', peer('replica'))).result.failure?.message).toMatch(/are not a replica, and nothing may replace them/);
    expect((await run(copy('replica'), 'metadata.redis', peer('primary'))).result.failure?.remedy).toMatch(/storage drill/);
  });
  it('goes on alone until its new replica is in step, and gives the password to no argument', async () => {
    const host = new MemoryHost();
    seedStorage(host);
    expect((await tryTask(taskNamed('metadata.redis'), { host }, { input: peer('primary') })).outcome).toBe('changed');
    expect([host.files.text(`${mark}/alone`), host.files.text(`${mark}/role`)]).toEqual(['', 'primary\n']);
    expect(host.files.text('/etc/strata/storage/metadata/users.acl')).toMatch(/^user strata-replica on #\S+ ~strata-\* \+psync \+replconf \+ping \+role \+get$/m);
    expect(JSON.stringify(host.runs)).not.toContain('a password');
    await tryTask(taskNamed('metadata.redis'), { host }, { input: shared });
    expect(host.files.text('/etc/strata/storage/metadata/peer')).toBeNull();
  });
}); // prettier-ignore
