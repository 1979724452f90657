import { TaskError } from '../task-error';

/** A bucket, and the key for it. `caPem`: whom to trust besides the machine's own. */
export interface BucketAccess {
  endpoint: string;
  region: string;
  bucket: string;
  caPem?: string | undefined;
  access: string;
  secret: string;
}
export interface BucketList {
  keys: string[];
  /** With a delimiter: what the keys beyond it begin with. */
  folders: string[];
  /** Gives the next part; null at the end. */
  next: string | null;
}
/** Objects of one bucket by S3. No proxy is ever used, no call takes longer than its deadline. @throws BucketError by each of them */
export interface Bucket {
  list(of: { prefix?: string; delimiter?: string; from?: string | null }): Promise<BucketList>;
  /** Gives the version that the store made of it; null in a bucket that keeps none. */
  put(key: string, text: string): Promise<{ version: string | null }>;
  /** Null where there is none. */
  get(key: string): Promise<string | null>;
  /** Absent ones are fine. Several at a time. */
  remove(keys: readonly string[]): Promise<void>;
  /** What a setting of the bucket says; null where the store knows no such setting, or does not tell this key. */
  setting(name: 'versioning' | 'object-lock'): Promise<string | null>;
}

/** What an object store answered. `s3`: its word for it, such as `AccessDenied`; `unreachable` and `tls` when it gave no answer at all. `skewMs`: by how much this machine is ahead of it. */
export class BucketError extends TaskError {
  constructor(
    readonly s3: string,
    message: string,
    readonly about: { status: number | null; skewMs: number | null; cause?: unknown },
  ) {
    const { status, cause } = about;
    super('bucket-refuses', message, { remedy: 'see the object store and its key, then retry the step', retry: status === null || status >= 500, cause });
    this.name = 'BucketError';
  }
}
