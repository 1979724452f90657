import { existsSync, readFileSync, statSync, writeFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { readCgroupTree } from './cgroups';
import { LabFailure } from './failure';
import { planCgroups } from './plan/cgroup-plan';
import { run } from './programs';
import { linkExists } from './network';
import type { Faults } from './state';

/** The size of a link that nobody made smaller. */
const usualMtu = 1500;

/**
 * Brings a node's way out in line with its state: the far end of its link takes no larger packets, and does not say so, while the node's own
 * end believes what it always did. That is a tunnel or a switch that somebody set up too small.
 */
export async function applyMtu(link: string, mtu: number | undefined): Promise<void> {
  if (linkExists(link)) await run('ip', ['link', 'set', link, 'mtu', String(mtu ?? usualMtu)]);
}

/**
 * Brings the pace of a node's disk in line with its state: so many writes a second, each of the rest waits.
 * @param cgroup the folder that the node has in each hierarchy
 * @param disk where the node's files lie
 */
export function applyDiskPace(cgroup: string, disk: string, writesPerSecond: number | undefined): void {
  const device = wholeDisk(disk);
  const { lookIn } = planCgroups(readCgroupTree(), cgroup, 1);
  const folders = lookIn.flatMap(withBelow);
  const v1 = folders.map((dir) => join(dir, 'blkio.throttle.write_iops_device')).filter((f) => existsSync(f));
  // cgroup v2 limits what is below: the node's own folder is enough
  const v2 = lookIn.map((dir) => join(dir, 'io.max')).filter((f) => existsSync(f));
  if (writesPerSecond !== undefined && v1.length + v2.length === 0)
    throw new LabFailure('this machine cannot slow a disk down', {
      remedy: 'its kernel must have the cgroup controller blkio (v1) or io (v2), with throttling',
    });
  for (const file of v1) writeFileSync(file, `${device} ${writesPerSecond ?? 0}`);
  for (const file of v2) writeFileSync(file, `${device} wiops=${writesPerSecond ?? 'max'}`);
}

const withBelow = (dir: string): string[] =>
  existsSync(dir)
    ? [dir, ...readdirSync(dir, { withFileTypes: true }).filter((e) => e.isDirectory()).flatMap((e) => withBelow(join(dir, e.name)))] // prettier-ignore
    : [];

/** `major:minor` of the disk under a folder: limits are of whole disks, not of their partitions. */
function wholeDisk(dir: string): string {
  const { dev } = statSync(dir);
  // as the kernel packs it for user space
  const [major, minor] = [Math.floor(dev / 2 ** 8) & 0xfff, (dev & 0xff) | (Math.floor(dev / 2 ** 12) & 0xfff00)];
  const sys = `/sys/dev/block/${major}:${minor}`;
  if (!existsSync(sys))
    throw new LabFailure(`${dir} lies on no disk that could be slowed down`, { remedy: 'put STRATA_LAB_DIR on a disk (ext4, xfs), or use --disk-size' });
  return existsSync(join(sys, 'partition')) ? readFileSync(join(sys, '../dev'), 'utf8').trim() : `${major}:${minor}`;
}

/** Both, for a node that runs, as far as they are to change. */
export async function applyHardware(node: { link: string; cgroup: string; disk: string }, was: Faults, now: Faults): Promise<void> {
  if (was.mtu !== now.mtu) await applyMtu(node.link, now.mtu);
  if (was.writesPerSecond !== now.writesPerSecond) applyDiskPace(node.cgroup, node.disk, now.writesPerSecond);
}
