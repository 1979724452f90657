import { renameSync, writeFileSync } from 'node:fs';

export type PartName = 'postgres' | 'redis' | 'server';
export interface LastExit {
  at: string; // ISO
  code: number | null; // null: by a signal, or not known (the process was adopted)
  signal: string | null;
  because: string; // in words, with the last lines of its log
}
/**
 * `external`: somebody else runs it. `preparing`: nothing of it runs yet. `starting`: its process lives and does not answer yet.
 * `failed`: ended, and is tried again at `nextTry`.
 */
export type PartState = 'external' | 'preparing' | 'starting' | 'running' | 'failed' | 'stopping' | 'stopped';
export interface PartStatus {
  state: PartState;
  pid: number | null;
  since: string; // ISO; when this state began
  restarts: number; // since this supervisor started
  adopted: boolean; // found alive, not started by this supervisor
  lastExit: LastExit | null;
  nextTry: string | null; // ISO
}
/** What `HOME/run/status.json` holds. */
export interface Status {
  supervisor: { pid: number; since: string; state: 'running' | 'stopping' | 'stopped' };
  parts: Record<PartName, PartStatus>;
}

/** The state of everything that is kept running, written out whole at each change: a reader never sees half of it. */
export class StatusFile {
  private readonly status: Status;

  constructor(
    private readonly path: string,
    private readonly onUnwritten: (error: unknown) => void,
  ) {
    const part = (): PartStatus => ({ state: 'preparing', pid: null, since: now(), restarts: 0, adopted: false, lastExit: null, nextTry: null });
    this.status = { supervisor: { pid: process.pid, since: now(), state: 'running' }, parts: { postgres: part(), redis: part(), server: part() } };
    this.write();
  }

  part(name: PartName): Readonly<PartStatus> {
    return this.status.parts[name];
  }

  set(name: PartName, change: Partial<PartStatus>): void {
    const was = this.status.parts[name];
    const since = change.state !== undefined && change.state !== was.state ? now() : was.since;
    this.status.parts[name] = { ...was, nextTry: null, ...change, since };
    this.write();
  }

  supervisor(state: Status['supervisor']['state']): void {
    this.status.supervisor.state = state;
    this.write();
  }

  private write(): void {
    const draft = `${this.path}.${process.pid}`;
    try {
      writeFileSync(draft, `${JSON.stringify(this.status, null, 2)}\n`, { mode: 0o644 });
      renameSync(draft, this.path);
    } catch (error) {
      this.onUnwritten(error); // a full disk is no reason to stop keeping; the next change writes all
    }
  }
}

const now = (): string => new Date().toISOString();
