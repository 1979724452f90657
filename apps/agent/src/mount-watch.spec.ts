import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Probe } from './mount-watch';

let dir: string;
beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), 'probe-'))));
afterEach(() => rmSync(dir, { recursive: true, force: true }));

test('a look that is held begins no second one, and its answer counts when it comes after all', async () => {
  const fifo = join(dir, 'fifo');
  execFileSync('mkfifo', [fifo]);
  const probe = new Probe(['sh', '-c', `echo begun >> ${dir}/begun; read line < ${fifo}`]);
  expect(await probe.answer(300)).toEqual({ silentMs: expect.any(Number) as number });
  const later = await probe.answer(10);
  expect(later && 'silentMs' in later && later.silentMs >= 290).toBe(true);
  execFileSync('sh', ['-c', `echo > ${fifo}`]);
  expect(execFileSync('cat', [`${dir}/begun`]).toString()).toBe('begun\n');
  await expect(probe.ended(30_000)).resolves.toEqual({ ms: expect.any(Number) as number });
});
test('an answer, none such file (an answer as well), an error', async () => {
  expect(await new Probe(['stat', '/']).answer(5_000)).toEqual({ ms: expect.any(Number) as number });
  expect(await new Probe(['stat', join(dir, 'none')]).answer(5_000)).toEqual({ ms: expect.any(Number) as number });
  expect(await new Probe(['sh', '-c', 'echo stat: Transport endpoint is not connected >&2; exit 1']).answer(5_000)).toEqual({ error: 'stat: Transport endpoint is not connected' }); // prettier-ignore
  expect(await new Probe([join(dir, 'no-program')]).answer(5_000)).toEqual({ error: expect.stringContaining('ENOENT') as string });
});
