import { type Bucket, type BucketAccess, BucketError, type BucketList } from '../ports/bucket';
import type { Effects } from './effects';

/** One bucket in memory. Set what it refuses by its fields. */
export class MemoryBucket {
  readonly objects = new Map<string, string>();
  settings: { versioning: string | null; 'object-lock': string | null } = { versioning: '', 'object-lock': null };
  /** S3's word for what is wrong with a call, or null. */
  refuses: (call: 'list' | 'put' | 'get' | 'remove', key: string) => string | null = () => null;
  skewMs: number | null = 0;
  /** A store that gives back something else than it took. */
  spoils = false;
  /** How many keys a list has at most. */
  page = 1000;

  as(at: BucketAccess, effects: Effects): Bucket {
    const may = (call: 'list' | 'put' | 'get' | 'remove', key = ''): void => {
      const s3 = this.refuses(call, key);
      if (s3 !== null) throw new BucketError(s3, `${at.endpoint} refuses ${call}: ${s3}`, { status: s3 === 'unreachable' || s3 === 'tls' ? null : 403, skewMs: this.skewMs });
    };
    return {
      list: async (of) => {
        may('list');
        return Promise.resolve(this.list(of));
      },
      put: async (key, text) => {
        may('put', key);
        await effects.run(`bucket.put ${key}`, () => void this.objects.set(key, this.spoils ? `${text}!` : text));
        return { version: this.settings.versioning === 'Enabled' ? '1' : null };
      },
      get: async (key) => {
        may('get', key);
        return Promise.resolve(this.objects.get(key) ?? null);
      },
      remove: async (keys) => {
        for (const key of keys) {
          may('remove', key);
          await effects.run(`bucket.remove ${key}`, () => void this.objects.delete(key));
        }
      },
      setting: async (name) => Promise.resolve(this.settings[name]),
    };
  } // prettier-ignore

  private list({ prefix = '', delimiter, from }: Parameters<Bucket['list']>[0]): BucketList {
    const rest = (key: string): string => key.slice(prefix.length);
    const isFolder = (key: string): boolean => delimiter !== undefined && rest(key).includes(delimiter);
    const all = [...this.objects.keys()].filter((key) => key.startsWith(prefix) && (from == null || key > from)).sort();
    const part = all.slice(0, this.page);
    const folders = part.filter(isFolder).map((key) => `${prefix}${rest(key).split(delimiter ?? '')[0] ?? ''}${delimiter ?? ''}`);
    return { keys: part.filter((key) => !isFolder(key)), folders: [...new Set(folders)], next: all.length > part.length ? (part.at(-1) ?? null) : null };
  }
}
