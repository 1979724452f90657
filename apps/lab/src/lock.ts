import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { LabFailure } from './failure';

/**
 * Runs `work` while holding an exclusive lock on `file`. The kernel gives the lock back when this process dies,
 * because the holder (`flock`) ends with our end of its pipe.
 * @param wait seconds to wait for another holder
 * @throws LabFailure (exit code 124) when another process keeps the lock longer than `wait`.
 */
export async function withLock<T>(file: string, wait: number, work: () => Promise<T>): Promise<T> {
  mkdirSync(dirname(file), { recursive: true });
  const holder = spawn('flock', ['-w', String(wait), file, 'sh', '-c', 'echo held; read -r _'], { stdio: ['pipe', 'pipe', 'ignore'] });
  const ended = new Promise<void>((resolve) => holder.once('close', () => resolve()));
  await new Promise<void>((resolve, reject) => {
    holder.once('error', (cause) => reject(new LabFailure('flock could not be started', { remedy: 'install the package util-linux', cause })));
    holder.stdout.once('data', () => resolve());
    void ended.then(() =>
      reject(
        new LabFailure(`another process holds ${file} for more than ${wait} s`, {
          remedy: 'wait for the other `strata lab` to end, then try again',
          exitCode: 124,
        }),
      ),
    );
  });
  holder.stdin.on('error', () => undefined);
  try {
    return await work();
  } finally {
    holder.stdin.end();
    await ended;
  }
}
