import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';

export interface AgentFile {
  path: string;
  /** The same file packed by gzip, for the way over SSH. */
  packed: string;
  size: number; // bytes, unpacked
  sha256: string;
}

/** The agent that this server hands out: one self-contained file. Its digest and its packed copy are made once. */
export class AgentFiles {
  private known: Promise<AgentFile> | null = null;

  /** @param cacheDir where the packed copy goes. */
  constructor(
    private readonly path: string,
    private readonly cacheDir: string,
  ) {}

  /** @throws Error if there is no agent file. */
  async get(): Promise<AgentFile> {
    this.known ??= this.make();
    try {
      return await this.known;
    } catch (error) {
      this.known = null;
      throw error;
    }
  }

  private async make(): Promise<AgentFile> {
    const found = await stat(this.path).catch((cause: unknown) => {
      throw new Error(`there is no agent file at ${this.path}: build it (npx nx bundle @strata/agent), or name it with STRATA_AGENT_FILE`, { cause });
    });
    const hash = createHash('sha256');
    await pipeline(createReadStream(this.path, { highWaterMark: 1 << 20 }), hash);
    const sha256 = hash.digest('hex');
    const packed = join(this.cacheDir, `stratad-${sha256.slice(0, 16)}.gz`);
    if (!(await stat(packed).catch(() => null))) {
      await mkdir(dirname(packed), { recursive: true });
      const part = `${packed}.${randomBytes(4).toString('hex')}.part`;
      try {
        await pipeline(createReadStream(this.path, { highWaterMark: 1 << 20 }), createGzip({ level: 1 }), createWriteStream(part));
        await rename(part, packed);
      } finally {
        await rm(part, { force: true });
      }
    }
    for (const name of await readdir(this.cacheDir))
      if (name.startsWith('stratad-') && join(this.cacheDir, name) !== packed) await rm(join(this.cacheDir, name), { force: true });
    return { path: this.path, packed, size: found.size, sha256 };
  }
}
