import { appendFileSync, closeSync, copyFileSync, existsSync, fstatSync, openSync, readSync, renameSync, rmSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';

const kept = 3; // older copies: NAME.log.1 is the youngest
const limitBytes = 10 * 1024 * 1024;

/** The logs of the supervisor and of what it keeps, in one directory. A process writes its own, so that it outlives the supervisor. */
export class Logs {
  constructor(
    private readonly dir: string,
    private readonly echo: boolean,
  ) {}

  path(name: string): string {
    return join(this.dir, `${name}.log`);
  }

  /** A file descriptor to hand to a process; the caller closes its own. */
  open(name: string): number {
    return openSync(this.path(name), 'a', 0o640);
  }

  /** One line of the supervisor itself; also to standard error when it runs in the foreground. */
  say(text: string): void {
    const line = `${new Date().toISOString()} ${text}\n`;
    if (this.echo) process.stderr.write(line);
    try {
      appendFileSync(this.path('supervisor'), line, { mode: 0o640 });
    } catch (error) {
      if (!this.echo) process.stderr.write(`${line.trimEnd()} (not in the log: ${String(error)})\n`); // a full disk is no reason to stop keeping
    }
  }

  /** The last lines of a log that were written after byte `from`, at most 2,000 characters: the reason why a process ended. */
  tail(name: string, from = 0): string {
    if (!existsSync(this.path(name))) return '';
    const fd = openSync(this.path(name), 'r');
    try {
      const { size } = fstatSync(fd);
      const start = Math.max(size < from ? 0 : from, size - 2000);
      const buffer = Buffer.alloc(size - start);
      readSync(fd, buffer, 0, buffer.length, start);
      return buffer.toString().trim().split('\n').slice(-5).join('\n');
    } finally {
      closeSync(fd);
    }
  }

  size(name: string): number {
    return existsSync(this.path(name)) ? statSync(this.path(name)).size : 0;
  }

  /** Copies logs that became too long and empties them in place: their writers append, and need not reopen. */
  rotate(names: readonly string[], limit = limitBytes): void {
    for (const name of names) {
      const path = this.path(name);
      if (this.size(name) <= limit) continue;
      for (let n = kept - 1; n >= 1; n -= 1) if (existsSync(`${path}.${n}`)) renameSync(`${path}.${n}`, `${path}.${n + 1}`);
      try {
        copyFileSync(path, `${path}.1`);
      } catch {
        rmSync(`${path}.1`, { force: true }); // the disk is full: the log is what can be spared
      }
      truncateSync(path);
    }
  }
}
