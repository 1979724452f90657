import { createHash } from 'node:crypto';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { privateDirectory, writePrivateFile } from '@strata/pki';
import { z } from 'zod';

const First = z.object({
  step: z.string(),
  runId: z.string(),
  task: z.string(),
  before: z.unknown(),
  input: z.unknown().optional(), // references to secrets, never values: so that it can be taken back without a server
});

/**
 * The first `before` of every step that ever changed this node: what uninstall goes back to.
 * One file a step, written ahead of the change, dropped when the change was taken back.
 */
export class FirstBefores {
  constructor(private readonly dir: string) {}
  private path(step: string): string {
    return join(this.dir, `${createHash('sha256').update(step).digest('hex').slice(0, 32)}.json`);
  }
  /** Undefined: this node was never changed by that step. */
  async get(step: string): Promise<z.infer<typeof First> | undefined> {
    const text = await readFile(this.path(step), 'utf8').catch((e: NodeJS.ErrnoException) => {
      if (e.code === 'ENOENT') return undefined;
      throw e;
    });
    return text === undefined ? undefined : First.parse(JSON.parse(text));
  }
  /** Keeps it unless there is one already. */
  async keep(first: z.infer<typeof First>): Promise<void> {
    await privateDirectory(this.dir);
    if ((await this.get(first.step)) === undefined) await writePrivateFile(this.path(first.step), JSON.stringify(first));
  }
  /** All of them, the oldest first. `at`: ms since 1970. */
  async all(): Promise<(z.infer<typeof First> & { at: number })[]> {
    const names = (await readdir(this.dir).catch(() => [] as string[])).filter((name) => name.endsWith('.json'));
    const found = await Promise.all(
      names.map(async (name) => {
        const path = join(this.dir, name);
        const { mtimeMs } = await stat(path); // each is written once
        return { ...First.parse(JSON.parse(await readFile(path, 'utf8'))), at: mtimeMs };
      }),
    );
    return found.sort((a, b) => a.at - b.at);
  }
  async drop(step: string): Promise<void> {
    await rm(this.path(step), { force: true });
  }
}
