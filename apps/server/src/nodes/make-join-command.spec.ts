import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { joinLine } from './make-join-command';

const run = promisify(execFile);
const agent = '#!/bin/sh\necho "args: $*"\necho "token: $(cat)"\n';
const sha256 = createHash('sha256').update(agent).digest('hex');

/** The line with the folder of programs moved, run with only these programs on its path. */
async function sh(line: string, programs: Record<string, string>): Promise<{ stdout: string; dir: string }> {
  const dir = mkdtempSync('/tmp/strata-line-');
  const bin = join(dir, 'bin');
  mkdirSync(bin);
  for (const [name, text] of Object.entries({ uname: '#!/bin/sh\necho x86_64\n', ...programs })) {
    writeFileSync(join(bin, name), text);
    chmodSync(join(bin, name), 0o755);
  }
  for (const name of ['sh', 'mkdir', 'sha256sum', 'chmod', 'rm', 'cat']) await run('ln', ['-s', `/bin/${name}`, join(bin, name)]);
  const { stdout } = await run('/bin/sh', ['-c', line.replaceAll('/usr/local/bin', join(dir, 'local'))], { env: { PATH: bin } });
  return { stdout, dir };
}
const fetcher = (flag: string): string => `#!/bin/sh\nwhile [ "$1" != "${flag}" ]; do shift; done\ncat > "$2" <<'X'\n${agent}X\n`;
const line = joinLine({ urls: ['https://a/x', 'https://b/x'], sha256, join: 'join --server a:1 --name n5', token: 'J1abc' });

test.each([
  ['curl', '-o'],
  ['wget', '-O'],
])('fetches with %s, checks the digest, and gives the token on standard input', async (name, flag) => {
  const { stdout, dir } = await sh(line, { [name]: fetcher(flag) });
  expect(stdout).toBe('args: join --server a:1 --name n5\ntoken: J1abc\n');
  expect(readFileSync(join(dir, 'local/stratad'), 'utf8')).toBe(agent);
  rmSync(dir, { recursive: true });
});

test('neither the transfer nor the agent is told the proxy of whoever runs it', async () => {
  const telling = (name: string): string => fetcher('-o').replace('#!/bin/sh\n', `#!/bin/sh\n[ -z "$${name}" ] || exit 1\n`);
  for (const name of ['https_proxy', 'HTTPS_PROXY', 'ALL_PROXY', 'http_proxy']) {
    const { stdout, dir } = await sh(`${name}=http://127.0.0.1:1; export ${name}; ${line}`, { curl: telling(name) });
    expect(stdout).toContain('args: join');
    rmSync(dir, { recursive: true });
  }
});

test('says what to do on a machine that has neither', async () => {
  await expect(sh(line, {})).rejects.toThrow('install curl or wget');
});

test('says on another kind of processor that the agent does not run there', async () => {
  await expect(sh(line, { uname: '#!/bin/sh\necho aarch64\n' })).rejects.toThrow('this machine is aarch64, and the agent is for x86_64 only');
});

test('does not run anything but the agent of this line', async () => {
  await expect(sh(line, { curl: fetcher('-o').replace('args', 'evil') })).rejects.toThrow('could not be fetched');
});

test('is one line', () => {
  expect(line).not.toContain('\n');
  expect(line.indexOf("'")).toBe(line.lastIndexOf("sh -c '") + 6);
});
