import { chmodSync, lchownSync, mkdirSync, readdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';

/** Makes the home with its directories and their modes; returns its real path. PostgreSQL's account passes through it, and sees no more. */
export function makeHome(home: string): string {
  try {
    mkdirSync(home, { recursive: true });
    const real = realpathSync(home);
    for (const [name, mode] of [
      ['.', 0o711],
      ['secrets', 0o700],
      ['run', 0o755],
      ['logs', 0o750],
    ] as const) {
      // prettier-ignore
      mkdirSync(join(real, name), { recursive: true });
      chmodSync(join(real, name), mode);
    }
    return real;
  } catch (cause) {
    throw new Error(`the directory ${home} cannot be made ready: run as root, or choose another with --home`, { cause });
  }
}

/** Gives a directory and all in it to an account. */
export function giveTree(path: string, account: { uid: number; gid: number }): void {
  lchownSync(path, account.uid, account.gid);
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) giveTree(join(path, entry.name), account);
    else lchownSync(join(path, entry.name), account.uid, account.gid);
  }
}
