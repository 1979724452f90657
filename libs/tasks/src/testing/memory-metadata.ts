import { metadataParts } from '@strata/model';
import { type MetadataAccess, type MetadataCounters, type MetadataStore, MetadataStoreError } from '../ports/metadata-store';
import type { Effects } from './effects';

type Call = keyof MetadataStore;

/** One database for metadata in memory: tables of a PostgreSQL, or keys of a Redis. Set what it refuses by its fields. */
export class MemoryMetadata {
  /** The settings of the volume that is there. */
  setting: string | null = null;
  readonly others = new Set<string>();
  counts: MetadataCounters = { nextchunk: 1, nextinode: 2, nextsession: 0, files: 0 };
  policy: string | null = 'noeviction';
  password: string | null = null;
  /** The database's word for what is wrong with a call, or null. */
  refuses: (call: Call) => string | null = () => null;
  /** A database that gives back something else than it took. */
  spoils = false;

  /** A volume, as JuiceFS would make it. */
  format(name: string, more: object = {}): this {
    this.setting = JSON.stringify({ Name: name, Bucket: 'https://objects.home.strata.internal:8333/home-rootfs', AccessKey: 'a password', ...more });
    return this;
  }

  as(at: MetadataAccess, effects: Effects): MetadataStore {
    const { engine } = metadataParts(at.url);
    const wrong = engine === 'postgres' ? '28P01' : 'WRONGPASS';
    const may = (call: Call): void => {
      const said = this.password !== null && at.password !== this.password ? wrong : this.refuses(call);
      if (said !== null) throw new MetadataStoreError(said, `${at.url} refuses ${call}: ${said}`);
    };
    return {
      look: async () => {
        may('look');
        const others = this.setting === null ? [...this.others] : [];
        return Promise.resolve({ setting: this.setting, others, policy: engine === 'redis' ? this.policy : null, engine });
      },
      trial: async (name, text) => {
        may('trial');
        await effects.run(`metadata.trial ${name}`, () => undefined);
        return this.spoils ? `${text}!` : text;
      },
      counters: async () => {
        may('counters');
        return Promise.resolve(this.setting === null ? { nextchunk: 0, nextinode: 0, nextsession: 0, files: 0 } : { ...this.counts });
      },
      raise: async (to) => {
        may('raise');
        await effects.run('metadata.raise', () => {
          for (const key of ['nextchunk', 'nextinode', 'nextsession'] as const) this.counts[key] = Math.max(this.counts[key], to[key]);
        });
      },
      erase: async () => {
        may('erase');
        await effects.run('metadata.erase', () => void (this.setting = null));
      },
    };
  }
}
