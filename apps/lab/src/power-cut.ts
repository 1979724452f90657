import { renameSync, writeFileSync } from 'node:fs';
import { LabFailure } from './failure';
import { leaderOf, nspawnOf } from './machine';
import { mountsBelow } from './mounts';
import { find, on, type Target, waitUntilOff } from './node-actions';
import { run } from './programs';

/**
 * ext4's own way to lose power: from this moment on nothing reaches the disk, and its journal ends where it is (EXT4_IOC_SHUTDOWN with
 * EXT4_GOING_FLAGS_NOLOGFLUSH, include/uapi/linux/ext4.h). Perl is on every Debian, and can ask for it.
 */
const cutPower = 'open(my $d, "<", $ARGV[0]) or die "$!\\n"; my $how = pack("L", 2); ioctl($d, 0x8004587d, $how) or die "$!\\n"';

/**
 * Power loss with all that it takes: what was only in memory never comes to the disk, as after {@link crash} it would. All named nodes lose it within
 * milliseconds of each other; they boot again, each from its disk as it was at that moment, unless `stayOff`.
 * @throws LabFailure for a node that is off, or has no disk of its own
 */
export async function powerCut(targets: readonly Target[], options: { stayOff: boolean; deadline: number }): Promise<void> {
  const all = targets.map((target) => ({ target, ...find(target) }));
  for (const { target, node, paths } of all) {
    if (!node.diskBytes)
      throw new LabFailure(`${node.name} has no disk of its own: what it has written lies on this machine's`, {
        remedy: `make the lab with disks of their own: strata lab up --name ${target.name} --disk-size 16G`,
        exitCode: 2,
      });
    if (!nspawnOf(paths)) throw new LabFailure(`${node.name} is not running`, { remedy: `start it: strata lab on ${node.name} --name ${target.name}` });
  }
  for (const { paths } of all) writeFileSync(paths.stopMark, ''); // its supervisor boots nothing upon this mount, whose system may fall over at once
  await Promise.all(all.map(({ paths }) => run('perl', ['-e', cutPower, paths.disk])));
  for (const { paths } of all) for (const pid of [leaderOf(paths), nspawnOf(paths)]) if (pid) process.kill(pid, 'SIGKILL');
  await Promise.all(all.map(({ target }) => cleared(target)));
  for (const { paths } of all) await freshDisk(paths.diskImage);
  if (!options.stayOff) await Promise.all(targets.map((target) => on(target, options.deadline)));
}

/** A file system that died lives on for a while where something still holds it, and mount would give it again: what boots is a copy of the disk. */
async function freshDisk(image: string): Promise<void> {
  await run('cp', ['--sparse=always', image, `${image}.copy`], { deadline: 300_000 });
  renameSync(`${image}.copy`, image);
}

/** A disk that is still mounted would answer the next boot with errors. */
async function cleared(target: Target): Promise<void> {
  const { node, paths } = find(target);
  const off = await waitUntilOff(target, 60_000);
  const left = mountsBelow(paths.dir);
  if (off && left.length === 0) return;
  throw new LabFailure(off ? `the disk of ${node.name} is still mounted at ${left.join(', ')}` : `${node.name} did not go off within 60 s`, {
    remedy: `look at ${paths.supervisorLog}; strata lab down --name ${target.name} clears it`,
  });
}
