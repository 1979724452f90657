import { spawn } from 'node:child_process';
import { appendFileSync, closeSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HomeTaken, takeLock } from './lock';
import { Logs } from './logs';
import { gone, lives, processOf } from './processes';

const dir = mkdtempSync(join(tmpdir(), 'strata-keeping-'));
afterAll(() => rmSync(dir, { recursive: true }));

test('a process is told from a later one with the same number', async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => 0, 1000)'], { stdio: 'ignore' });
  const id = processOf(child.pid ?? 0);
  if (!id) throw new Error('it does not live');
  expect(lives(id)).toBe(true);
  expect(lives({ ...id, started: 'another boot/1' })).toBe(false);
  expect(await gone(id, 0)).toBe(false);
  child.kill('SIGKILL');
  expect(await gone(id, 5_000)).toBe(true);
});

test('a lock is had once; that of a dead process is taken, and only its owner gives it back', () => {
  const path = join(dir, 'lock');
  const release = takeLock(path);
  expect(() => takeLock(path)).toThrow(HomeTaken);
  release();
  expect(existsSync(path)).toBe(false);
  for (const stale of ['{"pid":1,"started":"another boot/1"}', 'cut of', '']) {
    writeFileSync(path, stale);
    const again = takeLock(path);
    expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ pid: process.pid });
    again();
  }
});

test('a log that became too long is set aside under its writer, and the oldest is dropped', () => {
  const logs = new Logs(dir, false);
  const fd = logs.open('part');
  for (let n = 1; n <= 5; n += 1) {
    writeSync(fd, `line ${n} ${'.'.repeat(100)}\n`);
    logs.rotate(['part'], 50);
  }
  writeSync(fd, 'the end\n');
  closeSync(fd);
  expect(readFileSync(logs.path('part'), 'utf8')).toBe('the end\n');
  expect([1, 2, 3].map((n) => readFileSync(`${logs.path('part')}.${n}`, 'utf8').slice(0, 6))).toEqual(['line 5', 'line 4', 'line 3']);
  expect(existsSync(`${logs.path('part')}.4`)).toBe(false);
});

test('the tail of a log is what was written since', () => {
  const logs = new Logs(dir, false);
  logs.say('before');
  const from = logs.size('supervisor');
  appendFileSync(logs.path('supervisor'), 'a\nb\n');
  expect(logs.tail('supervisor', from)).toBe('a\nb');
  expect(logs.tail('none')).toBe('');
});
