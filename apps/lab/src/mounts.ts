import { readFileSync, rmSync } from 'node:fs';
import { LabFailure } from './failure';
import { tryRun } from './programs';

/** Mount points at or below a folder, deepest first. */
export function mountsBelow(dir: string): string[] {
  const points = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => (line.split(' ')[1] ?? '').replaceAll('\\040', ' '));
  return points.filter((p) => p === dir || p.startsWith(`${dir}/`)).reverse();
}

/** Unmounts everything at or below a folder; lazily where something still holds it. */
export async function unmountBelow(dir: string): Promise<void> {
  for (const point of mountsBelow(dir)) {
    if ((await tryRun('umount', [point])).code !== 0) await tryRun('umount', ['-l', point]);
  }
}

/**
 * Removes a folder with all that is in it, after unmounting whatever is mounted below: a removal must never walk into a mount.
 * @throws LabFailure when something cannot be unmounted
 */
export async function removeTree(dir: string): Promise<void> {
  await unmountBelow(dir);
  const left = mountsBelow(dir);
  if (left.length) throw new LabFailure(`${left.join(', ')} cannot be unmounted`, { remedy: 'see what uses it (fuser -vm), end that, then try again' });
  try {
    rmSync(dir, { recursive: true, force: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw error;
    await tryRun('chattr', ['-R', '-f', '-i', dir]); // a node may have marked a folder that nothing shall write into
    rmSync(dir, { recursive: true, force: true });
  }
}
