import { appendFile, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';

const whole = new Map<string, Promise<Set<string>>>(); // by folder

/**
 * Which blobs of a node's store were seen whole since the machine booted. Fetched blobs are not fsynced: a node takes a gigabyte, and waits for no disk.
 * While the kernel lives its page cache holds what was written; after a power cut a file may be short or empty, so then each is hashed once before it
 * counts. The list is named after the boot: one of an earlier life is nobody's word.
 */
export function knownBlobs(stateDir: string): {
  has(sha256: string): Promise<boolean>;
  add(sha256: string): Promise<void>;
  drop(sha256: string): Promise<void>;
} {
  const folder = join(stateDir, 'artifacts', 'whole');
  const list = async (): Promise<Set<string>> => {
    const known = whole.get(folder) ?? load(folder);
    whole.set(folder, known);
    return known;
  };
  return {
    has: async (sha256) => (await list()).has(sha256),
    add: async (sha256) => {
      (await list()).add(sha256);
      const boot = await bootId();
      if (boot === null) return;
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await appendFile(join(folder, boot), `${sha256}\n`, { mode: 0o600 });
    },
    drop: async (sha256) => void (await list()).delete(sha256),
  };
}

async function load(folder: string): Promise<Set<string>> {
  const boot = await bootId();
  for (const name of await readdir(folder).catch(() => [])) if (name !== boot) await rm(join(folder, name), { force: true });
  const text = boot === null ? '' : await readFile(join(folder, boot), 'utf8').catch(() => '');
  return new Set(text.split('\n').filter((line) => /^[0-9a-f]{64}$/.test(line)));
}
const bootId = async (): Promise<string | null> => (await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => null))?.trim() ?? null;
