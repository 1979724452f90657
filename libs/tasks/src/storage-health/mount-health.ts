import type { MountHealth, MountState } from '@strata/model';
import type { UnitState } from '../ports/host';
import { isShared } from '../storage/mounted';
import { mountPaths } from '../storage/storage-paths';

/** What one program said that looked at the mount: `ms` when it came to an end, `silentMs` while it did not. */
export type Answer = { ms: number } | { silentMs: number } | { error: string };
/** What is seen of a shared mount at one time. */
export interface MountSeen {
  path: string;
  /** What is mounted there, the uppermost; null for nothing. */
  type: string | null;
  /** Its own folder: the mount's process answers for that alone. */
  root: Answer | null;
  /** Something within: the metadata is asked. */
  tree: Answer | null;
  /** What systemd says of its unit. One that was stopped stays so: somebody wants it. */
  unit: UnitState['active'];
}
/** No answer for so long is no answer: a busy machine may take seconds. */
export const silentMs = 10_000;
/** A mount that is of no use for so long is begun anew; systemd and JuiceFS itself have had their chance. */
const healAfterMs = 20_000;
const mostHealMs = 300_000;
/** It has to be well for so long before the next fault counts as the first. */
const steadyMs = 120_000;

const seconds = (ms: number): string => `${Math.round(ms / 1000)} s`;
const log = `journalctl -u ${mountPaths.unit}`;

/** The state that is seen and its words; null while it is too early to tell. */
export function judged(s: MountSeen): { state: MountState; words: string; latencyMs: number | null } | null {
  const of = (state: MountState, words: string) => ({ state, words, latencyMs: null });
  if (s.type === null && s.unit === 'active') return of('dead', `${s.path} is not mounted, though its unit runs`);
  if (s.type === null && s.unit === 'activating') return of('gone', `${s.path} is not mounted: systemd is at it (${log})`);
  if (s.type === null) return of('stopped', `${mountPaths.unit} is stopped: ${s.path} does not come back until it is started`);
  if (!isShared(s.type)) return of('foreign', `a mount of type ${s.type} is at ${s.path}, above the shared file system`);
  if (s.root === null) return null;
  if ('error' in s.root) return of('dead', `the mount's process is gone: ${s.root.error}`);
  if ('silentMs' in s.root) return s.root.silentMs < silentMs ? null : of('hangs', `the mount's process has not answered for ${seconds(s.root.silentMs)}`);
  if (s.tree === null) return null;
  if ('error' in s.tree) return of('waits', `the mount runs, but the metadata does not answer it: ${s.tree.error}`);
  if ('silentMs' in s.tree)
    return s.tree.silentMs < silentMs ? null : of('waits', `the mount runs, but the metadata has not answered it for ${seconds(s.tree.silentMs)}`);
  return { state: 'ok', words: 'it answers', latencyMs: Math.round(s.tree.ms * 10) / 10 };
}

/** The health after what was seen now. Words of a state follow its time; a state that was just left is not forgotten until the mount is steady. */
export function nextHealth(was: MountHealth | null, seen: MountSeen, now: number): MountHealth | null {
  const is = judged(seen);
  if (is === null) return was?.path === seen.path ? was : null;
  const same = was?.state === is.state && was.path === seen.path;
  const since = same ? was.since : now;
  const forgotten = is.state === 'ok' && now - since > steadyMs;
  const remounts = was === null || forgotten ? 0 : was.remounts;
  const done = is.state === 'ok' || remounts === 0 ? '' : `; it was begun anew ${remounts === 1 ? 'once' : `${remounts} times`} lately`;
  return { path: seen.path, ...is, words: is.words + done, since, remounts };
}

/**
 * Whether the mount is to be begun anew. Never one that merely waits for its metadata (the next one would wait as well, and pods would lose their files),
 * nor one that systemd is starting, that somebody stopped, or put something above. Each try gives the next one twice the time.
 * @param lastMs when it was begun anew the last time
 */
export function healDue(is: MountHealth, lastMs: number | null, now: number): boolean {
  if ((is.state !== 'hangs' && is.state !== 'dead') || now - is.since < healAfterMs - silentMs) return false;
  return lastMs === null || now - lastMs >= Math.min(healAfterMs * 2 ** is.remounts, mostHealMs);
}

/** What the mount's unit says of it: the task wrote it, and nothing else knows the path on this machine. */
export function mountOfUnit(text: string): { path: string; cachePath: string; cacheMiB: number } | null {
  const path = /^ExecStop=-\/bin\/umount (\S+)$/m.exec(text)?.[1];
  const cachePath = /--cache-dir (\S+)/.exec(text)?.[1];
  const cacheMiB = Number(/--cache-size (\d+)/.exec(text)?.[1]);
  return path === undefined || cachePath === undefined || Number.isNaN(cacheMiB) ? null : { path, cachePath, cacheMiB };
}
/** Where that unit is. */
export const mountUnitFile = `/etc/systemd/system/${mountPaths.unit}`;
export const mountUnit = mountPaths.unit;
