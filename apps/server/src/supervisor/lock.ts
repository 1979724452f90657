import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { lives, processOf, type ProcessId } from './processes';

/** Another supervisor keeps this home. */
export class HomeTaken extends Error {
  override name = 'HomeTaken';
  constructor(
    readonly pid: number,
    path: string,
  ) {
    super(`another supervisor (process ${pid}) keeps this home already (${path}); stop it with: strata down, or kill -TERM ${pid}`);
  }
}

/** Who is named in a file of `{pid, started}` and lives; undefined without a file, or when that process is gone. */
export function livingOwner(path: string): ProcessId | undefined {
  try {
    const id = JSON.parse(readFileSync(path, 'utf8')) as ProcessId;
    return lives(id) ? { pid: id.pid, started: id.started } : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Takes the lock file for this process; the file of a process that is gone is replaced. Returns what gives it back.
 * @throws HomeTaken if its owner lives.
 */
export function takeLock(path: string): () => void {
  const mine = processOf(process.pid);
  if (!mine) throw new Error('this system shows no /proc: the supervisor runs on Linux only');
  const draft = `${path}.${process.pid}`;
  const text = `${JSON.stringify(mine)}\n`;
  writeFileSync(draft, text, { mode: 0o644 });
  try {
    for (;;) {
      try {
        linkSync(draft, path); // all or nothing, and never over another's
        return () => {
          if (readFileSync(path, 'utf8') === text) rmSync(path);
        };
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      const owner = livingOwner(path);
      if (owner) throw new HomeTaken(owner.pid, path);
      setAside(path);
    }
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Takes a dead owner's file away; if meanwhile a living one replaced it, that one gets its file back. */
function setAside(path: string): void {
  const aside = `${path}.${process.pid}.gone`;
  try {
    renameSync(path, aside);
    if (livingOwner(aside)) linkSync(aside, path);
  } catch (error) {
    if (!['ENOENT', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error; // another one did it
  } finally {
    rmSync(aside, { force: true });
  }
}
