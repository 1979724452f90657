import { TaskError } from '../task-error';

/** A database for JuiceFS' metadata that somebody else runs, and the password for it. `caPem`: whom to trust besides the machine's own. */
export interface MetadataAccess {
  url: string;
  caPem?: string | undefined;
  password: string;
  /** So long a call may take, from the connection on; a minute where nothing is said. */
  deadlineMs?: number;
}
/** What is in such a database. */
export interface MetadataLook {
  /** JuiceFS' own settings of the volume that is there, as it keeps them (JSON); null where there is none. */
  setting: string | null;
  /** Some of what is none of JuiceFS'; only looked for where there is no volume. */
  others: string[];
  /** What a Redis does when its memory is full; null where it does not tell, and with PostgreSQL. */
  policy: string | null;
  engine: 'postgres' | 'redis';
}
/** JuiceFS' counters: what was given out once must never be given out again. `files`: files and folders. */
export interface MetadataCounters {
  nextchunk: number;
  nextinode: number;
  nextsession: number;
  files: number;
}
/** The metadata of one volume with somebody else. No call takes longer than its deadline. @throws MetadataStoreError by each of them */
export interface MetadataStore {
  /** Changes nothing. */
  look(): Promise<MetadataLook>;
  /** Makes something of that name, writes into it, reads it back and takes it away: all that JuiceFS does. Gives what was read. */
  trial(name: string, text: string): Promise<string>;
  counters(): Promise<MetadataCounters>;
  /** Sets each to what is given, or leaves it where it is further; all of them or none. */
  raise(to: Omit<MetadataCounters, 'files'>): Promise<void>;
  /** Takes the volume's own tables or keys away, and nothing else; none is fine. */
  erase(): Promise<void>;
}

/**
 * What a database answered. `said`: its word for it (an SQLSTATE such as `28P01`, or Redis' first word such as `WRONGPASS`); `unreachable`, `tls` and
 * `no-tls` when it gave no answer at all; `cluster` for a Redis that is many.
 */
export class MetadataStoreError extends TaskError {
  constructor(
    readonly said: string,
    message: string,
    cause?: unknown,
  ) {
    super('metadata-refuses', message, {
      remedy: 'see the database of the metadata and its password, then retry the step',
      retry: !/^(28|3D|42)/.test(said),
      cause,
    });
    this.name = 'MetadataStoreError';
  }
}
