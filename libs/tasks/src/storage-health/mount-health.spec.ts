import { type MountInput, mountFiles } from '../storage/mount-files';
import { healDue, judged, type MountSeen, mountOfUnit, nextHealth } from './mount-health';

const well: MountSeen = { path: '/strata/rootfs', type: 'fuse.juicefs', root: { ms: 1 }, tree: { ms: 2.34 }, unit: 'active' };

test('the mount’s unit says where it is mounted and what its cache may be', () => {
  const input: MountInput = {
    cluster: 'home', node: 'n1', path: '/strata/rootfs', cache: { path: '/var/cache/strata/juicefs', sizeMiB: 200, freeRatio: 0.1 },
    password: { $secret: 'p' }, caPem: '-----BEGIN CERTIFICATE-----\n',
  }; // prettier-ignore
  expect(mountOfUnit(mountFiles(input)[0]?.content ?? '')).toEqual({ path: '/strata/rootfs', cachePath: '/var/cache/strata/juicefs', cacheMiB: 200 });
  expect(mountOfUnit('')).toBeNull();
});

test.each<[string, Partial<MountSeen>, string | null]>([
  ['it answers', {}, 'ok'],
  ['its process answers not yet', { root: { silentMs: 4_000 }, tree: null }, null],
  ['its process answers no more', { root: { silentMs: 10_000 }, tree: null }, 'hangs'],
  ['its process is gone', { root: { error: 'Transport endpoint is not connected' }, tree: null }, 'dead'],
  ['the metadata answers no more', { tree: { silentMs: 15_000 } }, 'waits'],
  ['the metadata gives an error', { tree: { error: 'Input/output error' } }, 'waits'],
  ['something is above', { type: 'ext4' }, 'foreign'],
  ['it is not mounted while its unit runs', { type: null }, 'dead'],
  ['systemd is at it', { type: null, unit: 'activating' }, 'gone'],
  ['it was stopped', { type: null, unit: 'inactive' }, 'stopped'],
])('%s', (_, seen, state) => {
  expect(judged({ ...well, ...seen })?.state ?? null).toBe(state);
});

test('what is not known yet changes nothing; a state keeps the time it began; a fault is forgotten when the mount was steady', () => {
  const ok = nextHealth(null, well, 1_000);
  expect(ok).toMatchObject({ state: 'ok', since: 1_000, latencyMs: 2.3, remounts: 0 });
  const slow: MountSeen = { ...well, root: { silentMs: 5_000 }, tree: null };
  expect(nextHealth(ok, slow, 6_000)).toBe(ok);
  const hangs = nextHealth(ok, { ...slow, root: { silentMs: 11_000 } }, 12_000);
  expect(nextHealth(hangs, { ...slow, root: { silentMs: 16_000 } }, 17_000)).toMatchObject({ state: 'hangs', since: 12_000, words: expect.stringContaining('16 s') as string });
  const back = nextHealth({ ...hangs!, remounts: 2 }, well, 30_000);
  expect(back).toMatchObject({ state: 'ok', since: 30_000, remounts: 2 });
  expect(nextHealth(back, well, 160_000)).toMatchObject({ since: 30_000, remounts: 0 });
}); // prettier-ignore

test('a mount is begun anew after a while, each time later; one that waits, is foreign or was stopped never is', () => {
  const hangs = nextHealth(null, { ...well, root: { silentMs: 11_000 }, tree: null }, 100_000)!;
  expect([healDue(hangs, null, 109_000), healDue(hangs, null, 110_000)]).toEqual([false, true]);
  const tried = { ...hangs, remounts: 1 };
  expect([healDue(tried, 110_000, 149_000), healDue(tried, 110_000, 150_000)]).toEqual([false, true]);
  expect([healDue({ ...hangs, remounts: 9 }, 110_000, 409_000), healDue({ ...hangs, remounts: 9 }, 110_000, 410_000)]).toEqual([false, true]);
  for (const state of ['ok', 'waits', 'gone', 'foreign', 'stopped'] as const) expect(healDue({ ...hangs, state }, null, 10_000_000)).toBe(false);
});
