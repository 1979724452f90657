import { createHash } from 'node:crypto';
import { readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Blob, canonicalJson, Sha256 } from '@strata/model';
import { stringify } from 'yaml';
import { z } from 'zod';
import { LockedDigestError } from './failure';
import type { OnProgress } from './progress';
import type { ArtifactStore } from './store';
import { readYaml } from './yaml-file';

/** What building needs to know about where it happens. */
export interface BuildContext {
  store: ArtifactStore;
  catalogDir: string;
  progress: OnProgress;
  signal?: AbortSignal;
  env: NodeJS.ProcessEnv;
  /** For every call of apt-get. */
  aptOptions?: readonly string[];
}

const Locks = z.record(Sha256, z.strictObject({ what: z.string(), sha256: Sha256 }));
const BuiltRecord = z.object({ ...Blob.shape, what: z.string() });

/** Key of a set of inputs: everything that the bytes depend on, the toolchain's version among it. */
export function inputsKey(inputs: unknown): string {
  return createHash('sha256').update(canonicalJson(inputs)).digest('hex');
}

/**
 * Builds a blob from `inputs`, or takes the one built before from the same inputs. `build` gets an empty scratch folder.
 * Throws a `LockedDigestError` when the store's lock or the committed `catalog/locks.yaml` says another digest for these very inputs.
 */
export async function builtOnce(context: BuildContext, job: { what: string; inputs: unknown }, build: (dir: string) => Promise<Blob>): Promise<Blob> {
  const { store } = context;
  const key = inputsKey(job.inputs);
  const known = async (): Promise<z.infer<typeof BuiltRecord> | undefined> => BuiltRecord.safeParse(await store.readRecord('built', key)).data;
  const here = async (): Promise<Blob | undefined> => {
    const record = await known();
    return record && (await store.has(record)) ? { sha256: record.sha256, size: record.size } : undefined;
  };
  const ready = await here();
  if (ready) return ready;
  const onWait = (pid: number): void => context.progress({ bytes: 0, total: 0, note: `${job.what}: process ${pid} is building it, waiting` });
  return store.locked(
    `build-${key}`,
    async () => {
      const second = await here();
      if (second) return second;
      const blob = await store.inWorkDir(build);
      const locks: { lock: string; sha256: string | undefined }[] = [
        { lock: `the store's record built/${key}.json`, sha256: (await known())?.sha256 },
        { lock: 'catalog/locks.yaml', sha256: (await committedLocks(context.catalogDir))[key]?.sha256 },
      ];
      for (const { lock, sha256 } of locks) {
        if (sha256 !== undefined && sha256 !== blob.sha256) throw new LockedDigestError(job.what, sha256, { sha256: blob.sha256, lock });
      }
      await store.writeRecord('built', key, { what: job.what, ...blob, inputs: job.inputs });
      return blob;
    },
    { ...(context.signal ? { signal: context.signal } : {}), onWait },
  );
}

async function committedLocks(catalogDir: string): Promise<z.infer<typeof Locks>> {
  const path = join(catalogDir, 'locks.yaml');
  return (await stat(path).catch(() => undefined)) ? readYaml(path, Locks) : {};
}

/** Adds every digest that this store has built to the committed `catalog/locks.yaml`, sorted by what it is. Gives the number of locks. */
export async function writeLocks(store: ArtifactStore, catalogDir: string): Promise<number> {
  const locks = { ...(await committedLocks(catalogDir)) };
  for (const file of await readdir(join(store.dir, 'built'))) {
    const record = BuiltRecord.safeParse(await store.readRecord('built', file.slice(0, -5))).data;
    if (record && file.endsWith('.json')) locks[file.slice(0, -5)] = { what: record.what, sha256: record.sha256 };
  }
  const sorted = Object.entries(locks).sort(([a, x], [b, y]) => (x.what + a < y.what + b ? -1 : 1));
  const head = '# Digest of what the recipes built, by the digest of all inputs (the toolchain among them). Written by obtain-main --write-locks.\n';
  await writeFile(join(catalogDir, 'locks.yaml'), head + stringify(Object.fromEntries(sorted), { lineWidth: 0 }));
  return sorted.length;
}
