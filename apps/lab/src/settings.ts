import { join } from 'node:path';

/** Where the lab keeps things. Both directories must lie on a real disk (overlay needs it). */
export interface Settings {
  /** State of all labs: one folder a lab. */
  readonly labDir: string;
  /** Bases and downloaded Debian packages, shared by all labs. */
  readonly cacheDir: string;
}

/** Reads `STRATA_LAB_DIR` (default `/var/lib/strata-lab`) and `STRATA_CACHE` (default `/var/cache/strata`). */
export const readSettings = (env: NodeJS.ProcessEnv): Settings => ({
  labDir: env['STRATA_LAB_DIR'] || '/var/lib/strata-lab',
  cacheDir: join(env['STRATA_CACHE'] || '/var/cache/strata', 'lab'),
});

/** The paths of one node. `root` is what the node sees as `/`; `shares` are folders bound into it past the overlay. */
export interface NodePaths {
  readonly dir: string;
  readonly diskImage: string;
  /** Mount point of the loop disk, or a plain folder when the node has no disk of its own size. */
  readonly disk: string;
  readonly upper: string;
  readonly work: string;
  readonly root: string;
  readonly shares: { readonly from: string; readonly to: string }[];
  readonly supervisorPid: string;
  readonly nspawnPid: string;
  readonly stopMark: string;
  readonly consoleLog: string;
  readonly supervisorLog: string;
}

export const labPath = (settings: Settings, lab: string): string => join(settings.labDir, lab);

/** Folders that must not lie on the overlay: containerd and kubelet mount overlays of their own. */
export const sharedFolders = ['/var/lib/containerd', '/var/lib/kubelet', '/var/lib/strata'] as const;

/** All paths of node `node` in lab `lab`. */
export function nodePaths(settings: Settings, lab: string, node: string): NodePaths {
  const dir = join(labPath(settings, lab), 'nodes', node);
  const disk = join(dir, 'disk');
  return {
    dir,
    disk,
    diskImage: join(dir, 'disk.img'),
    upper: join(disk, 'upper'),
    work: join(disk, 'work'),
    root: join(dir, 'root'),
    shares: sharedFolders.map((to) => ({ from: join(disk, to.slice('/var/lib/'.length)), to })),
    supervisorPid: join(dir, 'supervisor.pid'),
    nspawnPid: join(dir, 'nspawn.pid'),
    stopMark: join(dir, 'stop'),
    consoleLog: join(dir, 'console.log'),
    supervisorLog: join(dir, 'supervisor.log'),
  };
}
