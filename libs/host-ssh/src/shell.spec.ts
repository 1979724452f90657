import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { afterMarker, commandLine } from './shell';

const hard = ["it's", 'a "b"', '$HOME', '!!', 'back\\slash', 'semi;colon', '', 'new\nline', '*', '`id`'];

describe('a command line for any login shell', () => {
  const shells = ['/bin/sh', '/bin/bash', '/usr/bin/fish', '/bin/tcsh', '/bin/csh', '/usr/bin/zsh'].filter((s) => existsSync(s));
  test.each(shells)('%s gives every word to the program unchanged', (shell) => {
    const out = execFileSync(shell, ['-c', commandLine(['printf', '%s\\0', ...hard])]);
    expect(afterMarker(out.toString())?.split('\0').slice(0, -1)).toEqual(hard);
  });
  test('what start files print stands before the marker', () => {
    expect(afterMarker('Welcome!\nstrata-output-begins\n42\n')).toBe('42\n');
    expect(afterMarker('This account is currently not available.\n')).toBeNull();
  });
  test('the exit status and standard input are the program’s', () => {
    const r = spawnSync('/bin/sh', ['-c', commandLine(['sh', '-c', 'cat; exit 7'])], { input: 'hello' });
    expect([r.status, afterMarker(r.stdout.toString())]).toEqual([7, 'hello']);
  });
});
