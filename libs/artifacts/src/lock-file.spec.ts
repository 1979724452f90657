import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startTimeOf, withLockFile } from './lock-file';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'lock-'));
});
afterEach(() => rm(dir, { recursive: true }));

describe('withLockFile', () => {
  it('lets one in at a time and leaves nothing behind', async () => {
    let inside = 0;
    let most = 0;
    const work = async (): Promise<void> => {
      most = Math.max(most, ++inside);
      await sleep(5);
      inside--;
    };
    await Promise.all(Array.from({ length: 6 }, () => withLockFile(join(dir, 'a'), work)));
    expect(most).toBe(1);
    expect(await readdir(dir)).toEqual([]);
  });

  it('takes over from a killed process, also when its pid lives again as another', async () => {
    const child = spawn('sleep', ['60']);
    const holder = `${child.pid} ${await startTimeOf(child.pid ?? 0)} x`;
    await writeFile(join(dir, 'a'), holder);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(await withLockFile(join(dir, 'a'), async () => 1)).toBe(1);
    await writeFile(join(dir, 'b'), `${process.pid} 1 x`);
    expect(await withLockFile(join(dir, 'b'), async () => 2)).toBe(2);
  });

  it('waits for a living process, says for whom, and stops waiting on abort', async () => {
    const child = spawn('sleep', ['60']);
    await writeFile(join(dir, 'a'), `${child.pid} ${await startTimeOf(child.pid ?? 0)} x`);
    const abort = new AbortController();
    const waited: number[] = [];
    const waiting = withLockFile(join(dir, 'a'), async () => 1, { signal: abort.signal, onWait: (pid) => (waited.push(pid), abort.abort(new Error('stop'))) });
    await expect(waiting).rejects.toThrow();
    expect(waited).toEqual([child.pid]);
    child.kill('SIGKILL');
    await once(child, 'exit');
  });

  it('gives the lock back when the work fails', async () => {
    await expect(withLockFile(join(dir, 'a'), async () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await withLockFile(join(dir, 'a'), async () => 3)).toBe(3);
  });
});
