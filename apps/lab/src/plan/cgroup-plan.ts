import { LabFailure } from '../failure';

/** What was read of a machine's cgroup mounts; recorded trees in `test/fixtures` have this shape. */
export interface CgroupTree {
  /** Lines of `/proc/self/mounts` whose type is `cgroup` or `cgroup2`. */
  readonly mounts: readonly { readonly type: 'cgroup' | 'cgroup2'; readonly dir: string; readonly options: string }[];
  /** Content of the files that the plan needs: `cpuset.cpus`, `cpuset.mems` of v1; `cgroup.controllers`, `cgroup.subtree_control` of v2. By path. */
  readonly files: Readonly<Record<string, string>>;
}

export interface CgroupPlan {
  readonly version: 'v1' | 'hybrid' | 'v2';
  /** Values for files of the root, before any folder is made (v2: controllers to hand down). */
  readonly prepare: readonly { readonly path: string; readonly value: string }[];
  /** The node's own folders, one a hierarchy. */
  readonly dirs: readonly string[];
  /** Values for files in those folders, in this order, before a process enters. */
  readonly writes: readonly { readonly path: string; readonly value: string; readonly optional?: boolean }[];
  /** The launcher writes its pid into each of these before it becomes systemd-nspawn. */
  readonly enter: readonly string[];
  /** A command that is run in the node from outside joins these. */
  readonly enterExec: readonly string[];
  /** Files that exist only once the node boots; they make the limit visible inside. */
  readonly afterStart: readonly { readonly path: string; readonly value: string }[];
  /** Folders under which every process of the node is found. */
  readonly lookIn: readonly string[];
}

const wantedControllers = ['cpuset', 'cpu', 'io', 'memory', 'pids'];

/**
 * Plans a node's cgroups from a recorded tree; touches nothing.
 * On v1 the node gets a folder in every hierarchy, `unified` of a hybrid machine included: without that one all nodes would share
 * one `/payload`, and stopping a unit in one might signal the others. On v2 one folder is enough.
 * @param name the folder's name, `strata-lab-<lab>-<node>`
 * @param memory limit in bytes
 * @throws LabFailure when the machine has no cgroups mounted
 */
export function planCgroups(tree: CgroupTree, name: string, memory: number): CgroupPlan {
  const v1 = tree.mounts.filter((m) => m.type === 'cgroup');
  const v2 = tree.mounts.filter((m) => m.type === 'cgroup2');
  const first = v2[0];
  if (v1.length === 0 && !first)
    throw new LabFailure('no cgroup hierarchy is mounted on this machine', { remedy: 'mount one: mount -t cgroup2 none /sys/fs/cgroup' });
  return v1.length === 0 && first ? planUnified(tree, `${first.dir}/${name}`, memory) : planV1(tree, name, memory);
}

function planUnified(tree: CgroupTree, dir: string, memory: number): CgroupPlan {
  const root = dir.slice(0, dir.lastIndexOf('/'));
  const words = (file: string): string[] => (tree.files[`${root}/${file}`] ?? '').split(/\s+/).filter(Boolean);
  const handedDown = words('cgroup.subtree_control');
  const missing = wantedControllers.filter((c) => words('cgroup.controllers').includes(c) && !handedDown.includes(c));
  return {
    version: 'v2',
    prepare: missing.map((c) => ({ path: `${root}/cgroup.subtree_control`, value: `+${c}` })),
    dirs: [dir],
    writes: [
      { path: `${dir}/memory.max`, value: String(memory) },
      { path: `${dir}/memory.swap.max`, value: '0', optional: true },
    ],
    enter: [`${dir}/cgroup.procs`],
    enterExec: [`${dir}/payload/init.scope/cgroup.procs`], // an inner folder with controllers may hold no process
    afterStart: [{ path: `${dir}/payload/memory.max`, value: String(memory) }],
    lookIn: [dir],
  };
}

function planV1(tree: CgroupTree, name: string, memory: number): CgroupPlan {
  const has = (mount: { options: string }, option: string): boolean => mount.options.split(',').includes(option);
  const hybrid = tree.mounts.some((m) => m.type === 'cgroup2');
  const writes: { path: string; value: string; optional?: boolean }[] = [];
  const dirs: string[] = [];
  const resources: string[] = [];
  for (const mount of tree.mounts) {
    const dir = `${mount.dir}/${name}`;
    if (dirs.includes(dir)) continue;
    dirs.push(dir);
    const isResource = mount.type === 'cgroup' && !mount.options.split(',').some((o) => o.startsWith('name='));
    if (isResource) resources.push(dir);
    if (has(mount, 'cpuset')) {
      // a new cpuset is empty, and nothing can enter an empty one
      for (const file of ['cpuset.cpus', 'cpuset.mems']) writes.push({ path: `${dir}/${file}`, value: (tree.files[`${mount.dir}/${file}`] ?? '0').trim() });
    }
    if (has(mount, 'memory')) {
      writes.push({ path: `${dir}/memory.limit_in_bytes`, value: String(memory) });
      writes.push({ path: `${dir}/memory.memsw.limit_in_bytes`, value: String(memory), optional: true });
    }
  }
  const procs = (list: readonly string[]): string[] => list.map((d) => `${d}/cgroup.procs`);
  return { version: hybrid ? 'hybrid' : 'v1', prepare: [], dirs, writes, enter: procs(dirs), enterExec: procs(resources), afterStart: [], lookIn: dirs };
}
