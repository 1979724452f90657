import { chmod } from 'node:fs/promises';
import { createReadStream, createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { TaskError } from '@strata/tasks';
import { Parser, type ReadEntry } from 'tar';
import { replaceFile } from './files';

const plain = (name: string): string => name.replace(/^\.\//, '');

/**
 * Writes chosen members of a tar (gzip or not) to absolute paths, each atomically. Members are files; links inside an archive are not followed.
 * @throws TaskError `member-missing` if the archive lacks one.
 */
export async function unpackMembers(archive: string, members: Record<string, string>, mode: number): Promise<void> {
  const wanted = new Map(Object.entries(members).map(([name, path]) => [plain(name), path]));
  const work: Promise<void>[] = [];
  const parser = new Parser({
    strict: true,
    onReadEntry: (entry: ReadEntry) => {
      const path = wanted.get(plain(entry.path));
      if (path === undefined || (entry.type !== 'File' && entry.type !== 'OldFile')) return void entry.resume();
      wanted.delete(plain(entry.path));
      const fill = async (temporary: string): Promise<void> => {
        await pipeline(entry as unknown as NodeJS.ReadableStream, createWriteStream(temporary, { flags: 'wx', mode: 0o600 }));
        await chmod(temporary, mode);
      };
      const done = replaceFile(path, fill, { mode, owner: { uid: 0, gid: 0 } });
      done.catch(() => undefined);
      work.push(done);
    },
  });
  await pipeline(createReadStream(archive), parser as unknown as NodeJS.WritableStream);
  await Promise.all(work);
  if (wanted.size > 0)
    throw new TaskError('member-missing', `${archive} does not hold ${[...wanted.keys()].join(', ')}`, {
      remedy: 'the artifact is of another layout than this version of Strata expects: report it',
    });
}
