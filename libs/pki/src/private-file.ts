import { randomBytes } from 'node:crypto';
import { chmod, link, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** Makes `dir` (and its parents) and holds it at mode 0700. */
export async function privateDirectory(dir: string): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await chmod(dir, 0o700);
}

/** Writes `data` to `path` with mode 0600, whole or not at all: temporary file, fsync, rename, fsync of the directory. */
export const writePrivateFile = (path: string, data: string | Buffer): Promise<void> => write(path, data, rename);

/** Like {@link writePrivateFile}, but keeps a file that is already there. Answers what `path` then holds. */
export async function createPrivateFile(path: string, data: string | Buffer): Promise<Buffer> {
  await write(path, data, async (temporary) => {
    await link(temporary, path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    await rm(temporary);
  });
  const kept = await readPrivateFile(path);
  if (!kept) throw new Error(`${path} vanished while it was made; see what else writes there`);
  return kept;
}

async function write(path: string, data: string | Buffer, place: (temporary: string, path: string) => Promise<void>): Promise<void> {
  const temporary = join(dirname(path), `.${randomBytes(6).toString('hex')}.part`);
  try {
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(data);
      await file.sync();
    } finally {
      await file.close();
    }
    await place(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true });
    throw new Error(`could not write ${path}: ${(cause as Error).message}; see that its directory is writable and the disk has space`, { cause });
  }
  const directory = await open(dirname(path), 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** The content of `path`, or undefined when there is no such file. A file that others may read is refused: what it held is no secret any more. */
export async function readPrivateFile(path: string): Promise<Buffer | undefined> {
  let file;
  try {
    file = await open(path, 'r');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new Error(`could not read ${path}: ${(cause as Error).message}`, { cause });
  }
  try {
    const { mode } = await file.stat();
    if ((mode & 0o077) !== 0)
      throw new Error(`${path} has mode ${(mode & 0o777).toString(8)} and others may read it; set it to 600, and replace it if others may have read it`);
    return await file.readFile();
  } finally {
    await file.close();
  }
}
