import type { ChartValues } from '@strata/model';
import type { ObjectRef } from './cluster';

export interface ReleaseRef {
  release: string;
  namespace: string;
}
/** One revision of a release, as Helm keeps it. */
export interface Revision {
  revision: number;
  status: string; // deployed, failed, superseded, pending-install, pending-upgrade, pending-rollback, uninstalling
  description: string;
}
/** A chart of a bundle, by its content: another one under that name is refused. */
export interface ChartRef {
  bundle: string;
  chart: string; // charts/NAME
  digest: string; // sha256 of all its files
}
interface Limits {
  timeoutMs: number; // for Helm's own hooks
  signal: AbortSignal;
}

/** What Helm does in one cluster. Each call ends within its limits. @throws TaskError with Helm's own words */
export interface Releases {
  /** The newest revision, whatever became of it; null where there is no such release. */
  newest(of: ReleaseRef): Promise<Revision | null>;
  /** Installs or upgrades; it waits for hooks, not for workloads. */
  upgrade(of: ReleaseRef, what: ChartRef & { values: ChartValues; description: string }, limits: Limits): Promise<void>;
  rollback(of: ReleaseRef, revision: number, limits: Limits): Promise<void>;
  /** With what its hooks left. Fine if it is not there. `keep`: objects that stay, as `KIND/NAME`. */
  uninstall(of: ReleaseRef, limits: Limits, options?: { keep?: readonly string[] }): Promise<void>;
  /** What the newest revision consists of. */
  objects(of: ReleaseRef): Promise<ObjectRef[]>;
  /** Helm's own record of a revision: when it was written last, by whom ever. Null where there is none. */
  written(of: ReleaseRef, revision: number): Promise<{ at: number; version: string } | null>;
}
