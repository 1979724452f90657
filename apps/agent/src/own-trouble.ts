import { type StatsFs, statfsSync } from 'node:fs';
import { bytesText, fullDisk } from '@strata/tasks';

type Space = Pick<StatsFs, 'bsize' | 'blocks' | 'bavail' | 'files' | 'ffree'>;

/**
 * What keeps this agent from its work, in words, or an empty text: the disk of its journal is full. Told with every heartbeat, so that the server can name it
 * also when the agent falls silent later.
 */
export function ownTrouble(state: string, look: (path: string) => Space = (path) => statfsSync(path)): string {
  let s: Space;
  try {
    s = look(state);
  } catch (error) {
    return `${state} cannot be looked at: ${(error as Error).message}`;
  }
  const free = s.bavail * s.bsize;
  if (s.blocks > 0 && free < fullDisk.bytes) return `the disk of ${state} is full: ${bytesText(free)} of ${bytesText(s.blocks * s.bsize)} are left (ENOSPC)`;
  return s.files > 0 && s.ffree < fullDisk.inodes ? `the disk of ${state} is full: only ${s.ffree} inodes are left (ENOSPC)` : '';
}
