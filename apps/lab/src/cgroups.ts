import { existsSync, mkdirSync, readFileSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { endFuse } from './fuse';
import { waitFor } from './programs';
import type { CgroupPlan, CgroupTree } from './plan/cgroup-plan';

/** The folder that a node has in each hierarchy. */
export const cgroupName = (lab: string, node: string): string => `strata-lab-${lab}-${node}`;

/** Reads what {@link CgroupTree} holds from this machine. */
export function readCgroupTree(): CgroupTree {
  const mounts: { type: 'cgroup' | 'cgroup2'; dir: string; options: string }[] = [];
  for (const line of readFileSync('/proc/self/mounts', 'utf8').split('\n')) {
    const [, dir, type, options] = line.split(' ');
    if (dir?.startsWith('/sys/fs/cgroup') && options !== undefined && (type === 'cgroup' || type === 'cgroup2')) mounts.push({ type, dir, options });
  }
  const files: Record<string, string> = {};
  for (const { dir } of mounts) {
    for (const file of ['cpuset.cpus', 'cpuset.mems', 'cgroup.controllers', 'cgroup.subtree_control']) {
      if (existsSync(join(dir, file))) files[join(dir, file)] = readFileSync(join(dir, file), 'utf8').trim();
    }
  }
  return { mounts, files };
}

/** Makes the planned folders and writes the planned values. */
export function makeCgroups(plan: CgroupPlan): void {
  for (const { path, value } of plan.prepare) writeFileSync(path, value);
  for (const dir of plan.dirs) mkdirSync(dir, { recursive: true });
  for (const { path, value, optional } of plan.writes) {
    try {
      writeFileSync(path, value);
    } catch (cause) {
      if (!optional) throw cause;
    }
  }
}

const below = (dir: string): string[] =>
  existsSync(dir)
    ? [
        ...readdirSync(dir, { withFileTypes: true })
          .filter((e) => e.isDirectory())
          .flatMap((e) => below(join(dir, e.name))),
        dir,
      ]
    : [];

/** Pids of all processes in the planned folders, nspawn itself included. */
export function pidsIn(plan: Pick<CgroupPlan, 'lookIn'>): number[] {
  const pids = new Set<number>();
  for (const dir of plan.lookIn.flatMap(below)) {
    try {
      for (const pid of readFileSync(join(dir, 'cgroup.procs'), 'utf8').split('\n')) if (Number(pid) > 0) pids.add(Number(pid));
    } catch {
      // the folder went away, or is a threaded one that lists no processes
    }
  }
  return [...pids];
}

/** cgroup v1 delivers no signal to what is frozen, and runc freezes a container for a moment: a crash may fall into it. */
function thaw(dir: string): void {
  const file = join(dir, 'freezer.state');
  try {
    if (existsSync(file) && readFileSync(file, 'utf8').trim() !== 'THAWED') writeFileSync(file, 'THAWED');
  } catch {
    // the folder went away, or is the root, which cannot be frozen
  }
}

/** Kills everything in the planned folders and removes them; false when something outlives `deadline` milliseconds. */
export async function removeCgroups(plan: Pick<CgroupPlan, 'lookIn'>, deadline = 15_000): Promise<boolean> {
  const hangsAt = Date.now() + 2_000;
  let ended = false;
  return waitFor(async () => {
    for (const dir of plan.lookIn.flatMap(below)) thaw(dir);
    if (!ended && Date.now() > hangsAt) {
      ended = true;
      await endFuse(pidsIn(plan));
    }
    for (const pid of pidsIn(plan)) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // it ended by itself
      }
    }
    for (const dir of plan.lookIn.flatMap(below)) {
      try {
        rmdirSync(dir);
      } catch {
        // processes are still leaving it
      }
    }
    return plan.lookIn.every((dir) => !existsSync(dir));
  }, deadline);
}
