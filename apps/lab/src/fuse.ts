import { existsSync, mkdtempSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './programs';

/** Numbers of the connections behind the JuiceFS mounts in a mountinfo. */
export const connectionsIn = (mountinfo: string): string[] => [...mountinfo.matchAll(/^\d+ \d+ 0:(\d+) .* - fuse\.juicefs /gm)].map((m) => m[1] ?? '');

/**
 * Ends the connections of the JuiceFS mounts that these processes see: one that waits for an answer which nobody will give any more is beyond every
 * signal until then, and a mount's own supervisor may be that one. Only JuiceFS: nothing of this machine itself is mounted so in a node.
 */
export async function endFuse(pids: readonly number[]): Promise<void> {
  const ids = new Set(pids.flatMap((pid) => connectionsIn(mountinfoOf(pid))));
  if (ids.size === 0) return;
  const control = mkdtempSync('/run/strata-fusectl-');
  await run('mount', ['-t', 'fusectl', 'none', control]);
  try {
    for (const id of ids) if (existsSync(join(control, id))) writeFileSync(join(control, id, 'abort'), '1');
  } finally {
    await run('umount', [control]);
    rmdirSync(control);
  }
}
function mountinfoOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/mountinfo`, 'utf8');
  } catch {
    return ''; // it ended by itself
  }
}
