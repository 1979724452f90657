import type { Artifact, Facts, ImageArtifact } from '@strata/model';
import { z } from 'zod';
import type { RuntimePlace } from '../runtime-place';
import type { Bucket, BucketAccess } from './bucket';
import type { MetadataAccess, MetadataStore } from './metadata-store';

/**
 * What a path was before we touched it. The content itself stays on the machine, in the pre-image store under its digest,
 * so that an image may travel through the ledger without carrying a secret.
 */
export const FileImage = z.strictObject({
  path: z.string(),
  kind: z.enum(['absent', 'file', 'directory', 'link']),
  mode: z.int().optional(),
  uid: z.int().optional(),
  gid: z.int().optional(),
  sha256: z.string().optional(), // file
  target: z.string().optional(), // link
  parents: z.array(z.string()).optional(), // absent: directories above that were not there either, outermost first; restored to absent when empty
});
export type FileImage = z.infer<typeof FileImage>;

export interface FileStat {
  kind: 'file' | 'directory' | 'link' | 'other';
  mode: number;
  uid: number;
  gid: number;
  size: number;
  target: string | null;
}

/** All paths are absolute. Every write is atomic (temporary file, fsync, rename) and creates missing parents with 0755. */
export interface Files {
  /** Text of a file, or null if there is none. Refuses more than 4 MiB. */
  read(path: string): Promise<string | null>;
  /** Does not follow a link. Null if absent. */
  stat(path: string): Promise<FileStat | null>;
  list(path: string): Promise<string[]>;
  sha256(path: string): Promise<string | null>;
  /** Records what is at `path` now and keeps its content in the pre-image store: the only thing `restore` needs. */
  image(path: string): Promise<FileImage>;
  /** Puts back what `image` saw: content, owner, mode; removes what was absent. */
  restore(image: FileImage): Promise<void>;
  /** `mode` default 0644. An existing file's owner is kept. */
  write(path: string, content: string, options?: { mode?: number }): Promise<void>;
  link(path: string, target: string): Promise<void>;
  mkdir(path: string, options?: { mode?: number }): Promise<void>;
  /** Removes a file, link, or, with `recursive`, a tree that is not a mount point. Absent is fine. */
  remove(path: string, options?: { recursive?: boolean }): Promise<void>;
  /** Installs a verified blob of the local artifact store as a file. */
  install(artifact: Artifact & { kind: 'file' }, path: string, options?: { mode?: number }): Promise<void>;
  /** Unpacks members of a tar of the local artifact store; `members` maps a member's name to its absolute destination. */
  unpack(artifact: Artifact & { kind: 'archive' }, members: Record<string, string>, options?: { mode?: number }): Promise<void>;
}

export interface ProgramResult {
  code: number; // 128 + n if ended by signal n
  stdout: string;
  stderr: string;
}
export interface RunOptions {
  timeoutMs?: number; // default 60 s
  input?: string; // standard input; the only way for a secret
  env?: Record<string, string>;
  cwd?: string;
  /**
   * A name unique within the task: the program runs in a transient systemd unit named after order, attempt and this name.
   * A restarted agent that runs the task again re-attaches to it, or reads its result, and does not start it twice.
   */
  durable?: string;
  onLine?: (line: string, stream: 'stdout' | 'stderr') => void;
  signal?: AbortSignal;
}
export interface Programs {
  /** Runs `argv` (never a shell). A non-zero exit is a result, not an exception; a missing program, a time-out or an abort throws. */
  run(argv: readonly [string, ...string[]], options?: RunOptions): Promise<ProgramResult>;
  /** Absolute path of a program on the PATH, or null. */
  which(name: string): Promise<string | null>;
}

export interface UnitState {
  load: 'loaded' | 'not-found' | 'masked' | 'error';
  active: 'active' | 'activating' | 'deactivating' | 'inactive' | 'failed';
  enabled: 'enabled' | 'disabled' | 'static' | 'masked' | 'unknown';
  mainPid: number | null;
}
export interface Units {
  state(unit: string): Promise<UnitState>;
  start(unit: string): Promise<void>;
  stop(unit: string): Promise<void>;
  restart(unit: string): Promise<void>;
  reload(unit: string): Promise<void>;
  enable(unit: string): Promise<void>;
  disable(unit: string): Promise<void>;
  mask(unit: string): Promise<void>;
  unmask(unit: string): Promise<void>;
  /** After a unit file was written or removed. */
  daemonReload(): Promise<void>;
  /** The last lines of a unit's journal, for an error's cause. */
  log(unit: string, lines: number): Promise<string[]>;
}

export interface Packages {
  manager(): Promise<'apt' | 'dnf' | null>;
  /** Version by name; null if not installed. */
  installed(names: readonly string[]): Promise<Record<string, string | null>>;
  /** Everything installed now, by name: to know what an installation brought along. */
  all(): Promise<Record<string, string>>;
  /** apt: --no-remove, noninteractive, NEEDRESTART_SUSPEND=1, --force-confold; waits for the lock, refreshes lists if needed. Durable. */
  install(
    names: readonly string[],
    options: { durable: string; progress?: (fraction: number | null, note: string) => void; signal?: AbortSignal },
  ): Promise<void>;
  /** Purges exactly these; refuses if that would remove anything else. */
  remove(names: readonly string[], options: { durable: string; signal?: AbortSignal }): Promise<void>;
  /** Who holds the lock now ("apt-get (pid 812, apt-daily-upgrade.service)"), or null. */
  lockHolder(): Promise<string | null>;
  /** Packages that an interrupted dpkg left half done; empty if none. */
  interrupted(): Promise<string[]>;
}

export interface Kernel {
  sysctl(key: string): Promise<string | null>;
  setSysctl(key: string, value: string): Promise<void>;
  /** `builtin` also when its feature is there without a module. */
  module(name: string): Promise<'loaded' | 'builtin' | 'available' | 'absent'>;
  loadModule(name: string): Promise<void>;
  /** Fine if it is not loaded, or something uses it by now: then it stays. */
  unloadModule(name: string): Promise<void>;
}
export interface Mount {
  path: string;
  device: string;
  type: string;
  options: string[];
}
export interface Mounts {
  list(): Promise<Mount[]>;
  /** `detach`: takes it out of the tree at once, also while something still uses it (lazy). */
  unmount(path: string, options?: { detach?: boolean }): Promise<void>;
  swap(): Promise<{ device: string; size: number }[]>;
  swapOff(device: string): Promise<void>;
  swapOn(device: string): Promise<void>;
  space(path: string): Promise<{ size: number; free: number; inodesFree: number }>;
  /** Milliseconds of one small write and fdatasync on the file system of `path`: the median of `n`. Leaves nothing behind. */
  syncLatency(path: string, n: number): Promise<number>;
}
export interface Network {
  /** True if a TCP connection opens within the deadline. */
  reaches(host: string, port: number, timeoutMs: number): Promise<boolean>;
  /** The first line that a TCP service says by itself (sshd does); null if it says nothing in time. */
  banner(host: string, port: number, timeoutMs: number): Promise<string | null>;
  /** Addresses of a name by the machine's own resolver; empty if none. */
  resolve(name: string, timeoutMs: number): Promise<string[]>;
  /** GET over HTTP(S) on loopback or a node; `ca` pins a PEM. Null if no answer. */
  get(url: string, options: { timeoutMs: number; ca?: string; insecure?: boolean }): Promise<{ status: number; body: string } | null>;
  deleteLink(name: string): Promise<void>;
  links(): Promise<string[]>;
}
export interface Artifacts {
  /** Makes sure all blobs are in the node's store, verified by sha256. Resumes; several at a time. */
  fetch(artifacts: readonly Artifact[], options: { progress?: (fraction: number | null, note: string) => void; signal?: AbortSignal }): Promise<void>;
  has(artifact: Artifact): Promise<boolean>;
  /** Drops the blobs of these; absent is fine. */
  drop(artifacts: readonly Artifact[]): Promise<void>;
}
/** containerd's images, in the namespace k8s.io. */
export interface Images {
  list(): Promise<{ ref: string; digest: string; pinned: boolean }[]>;
  /** Refs of images whose content is not whole: a part of it was lost. */
  incomplete(): Promise<string[]>;
  /** Changes whenever anything in the store may have changed; costs next to nothing. Null: nobody knows. */
  changedAt(): Promise<number | null>;
  import(images: readonly ImageArtifact[], options: { progress?: (fraction: number | null, note: string) => void; signal?: AbortSignal }): Promise<void>;
  /** So that kubelet's image collection never takes it. */
  pin(ref: string): Promise<void>;
  remove(ref: string): Promise<void>;
}
export interface Users {
  authorizedKeys(user: string): Promise<string[]>;
  home(user: string): Promise<string | null>;
}

/** One machine, as tasks see it. Over SSH before there is an agent only reading is offered: writing calls throw. */
export interface Host {
  readonly files: Files;
  readonly programs: Programs;
  readonly units: Units;
  readonly packages: Packages;
  readonly kernel: Kernel;
  readonly mounts: Mounts;
  readonly network: Network;
  readonly artifacts: Artifacts;
  /** Images of the containerd that is at this place. */
  images(place: RuntimePlace): Images;
  readonly users: Users;
  /** Objects of a bucket, asked from this machine. */
  bucket(at: BucketAccess): Bucket;
  /** A database of the shared file system's metadata that somebody else runs, asked from this machine. */
  metadataStore(at: MetadataAccess): MetadataStore;
  /** Fresh facts of this machine: all, or only those named, which is much cheaper. */
  facts<K extends keyof Facts = keyof Facts>(...only: K[]): Promise<Pick<Facts, K>>;
  hostname(): Promise<string>;
  setHostname(name: string): Promise<void>;
}
