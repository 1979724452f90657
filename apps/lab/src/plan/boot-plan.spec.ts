import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEnd, enterAndExec, maxOpenFiles, nspawnArgs } from './boot-plan';

const args = nspawnArgs({
  root: '/r',
  machine: 's0-n1',
  hostname: 'n1',
  bridge: 'slab0',
  shares: [{ from: '/d/kubelet', to: '/var/lib/kubelet' }],
  devices: ['/dev/fuse'],
  maxFiles: '20000',
});

it('never lets a node set the clock of the machine, and binds nothing of the host but disks and devices', () => {
  expect(args).toContain('--drop-capability=CAP_SYS_TIME');
  expect(args.filter((a) => a.startsWith('--bind'))).toEqual(['--bind=/d/kubelet:/var/lib/kubelet', '--bind=/dev/fuse']);
});

it.each([
  [{ code: 133, stopAsked: false, quickEnds: 0 }, 'boot'],
  [{ code: null, stopAsked: false, quickEnds: 0 }, 'boot'],
  [{ code: 137, stopAsked: false, quickEnds: 4 }, 'boot'],
  [{ code: 1, stopAsked: false, quickEnds: 5 }, 'give-up'],
  [{ code: 0, stopAsked: false, quickEnds: 0 }, 'stay-off'],
  [{ code: null, stopAsked: true, quickEnds: 0 }, 'stay-off'],
])('after nspawn ended with %o it does: %s', (end, next) => expect(afterEnd(end)).toBe(next));

it('reads the hard limit of open files', () => {
  expect(maxOpenFiles('Max file size  unlimited unlimited bytes\nMax open files            1024                 524288               files     \n')).toBe(
    '524288',
  );
  expect(maxOpenFiles('')).toBe('20000');
});

it('enters cgroups under the pid that the command then has', () => {
  const dir = mkdtempSync(join(tmpdir(), 'enter-'));
  const { program, args: argv } = enterAndExec([join(dir, 'a'), join(dir, 'b')], ['sh', '-c', 'echo $$; exit 7']);
  const ran = spawnSync(program, argv, { encoding: 'utf8', timeout: 10_000 });
  expect(ran.status).toBe(7);
  expect(readFileSync(join(dir, 'a'), 'utf8')).toBe(ran.stdout);
  expect(readFileSync(join(dir, 'b'), 'utf8')).toBe(ran.stdout);
  expect(spawnSync(program, enterAndExec(['/nowhere/x'], ['true']).args, { timeout: 10_000 }).status).toBe(125);
  rmSync(dir, { recursive: true });
});
