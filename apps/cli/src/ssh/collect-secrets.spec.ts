import { execFileSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NodeSpec } from '@strata/model';
import { paper } from '../testing/paper';
import { isEncrypted, SecretCollector } from './collect-secrets';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'strata-ssh-'));
  mkdirSync(join(home, '.ssh'));
});
afterEach(() => rmSync(home, { recursive: true }));
const key = (name: string, phrase = ''): string => {
  const path = join(home, '.ssh', name);
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', phrase, '-f', path]);
  return readFileSync(path, 'utf8');
};
const node = (ssh: object, name = 'n1'): NodeSpec => NodeSpec.parse({ name, address: '10.0.0.1', ssh });
const collector = (more: Record<string, string> = {}, options: { answers?: string[]; serverIsLocal?: boolean } = {}): SecretCollector =>
  new SecretCollector({ env: { HOME: home, ...more }, terminal: paper({}, options.answers).cli.terminal, serverIsLocal: options.serverIsLocal ?? true });
const none = new Set<string>();

test('the usual key is taken when nothing is named; nothing at all is an error before anything is sent', async () => {
  await expect(collector().of(node({}), none)).rejects.toThrow(/nothing opens node n1/);
  const text = key('id_ed25519');
  expect((await collector().of(node({}), none))?.secrets).toEqual({ privateKey: text, knownHosts: [] });
});
test('a locked key asks for its passphrase, once for all nodes', async () => {
  expect(isEncrypted(key('plain'))).toBe(false);
  expect(isEncrypted(key('locked', 'open sesame'))).toBe(true);
  const collect = collector({}, { answers: ['open sesame'] });
  for (const name of ['n1', 'n2']) expect((await collect.of(node({ keyFile: '~/.ssh/locked' }, name), none))?.secrets.passphrase).toBe('open sesame');
});
test('secrets come from the environment, a file, or a person; sudo may be the same', async () => {
  writeFileSync(join(home, 'pw'), 'from-file\n');
  expect((await collector({ PW: 'from-env' }).of(node({ passwordFrom: 'env:PW', sudoPasswordFrom: 'same' }), none))?.secrets).toMatchObject({
    password: 'from-env',
    sudoPassword: 'from-env',
  });
  expect((await collector().of(node({ passwordFrom: 'file:~/pw' }), none))?.secrets).toMatchObject({ password: 'from-file' });
  expect((await collector({}, { answers: ['typed', 'sudo'] }).of(node({ passwordFrom: 'prompt', sudoPasswordFrom: 'prompt' }), none))?.secrets).toMatchObject({
    password: 'typed',
    sudoPassword: 'sudo',
  });
  await expect(collector().of(node({ passwordFrom: 'env:PW' }), none)).rejects.toThrow(/env:PW, which is not set/);
  await expect(collector().of(node({ passwordFrom: 'file:/none' }), none)).rejects.toThrow(/cannot be read/);
});
test('a key file that is none is named', async () => {
  key('a');
  await expect(collector().of(node({ keyFile: '~/.ssh/a.pub' }), none)).rejects.toThrow(/not a private key but a public one/);
  await expect(collector().of(node({ keyFile: '~/.ssh/gone' }), none)).rejects.toThrow(/ENOENT/);
});
test('the agent is of use only to a server on this host', async () => {
  await expect(collector({ SSH_AUTH_SOCK: '/s' }, { serverIsLocal: false }).of(node({ agent: true }), none)).rejects.toThrow(/another host/);
  await expect(collector().of(node({ agent: true }), none)).rejects.toThrow(/SSH_AUTH_SOCK/);
  expect((await collector({ SSH_AUTH_SOCK: '/s' }).of(node({ agent: true }), none))?.secrets).toEqual({ agentSocket: '/s', knownHosts: [] });
});
test('known_hosts: the lines of this machine under every name, also hashed, and of nobody else', async () => {
  key('id_ed25519');
  const salt = Buffer.from('0123456789abcdef0123');
  const hashed = `|1|${salt.toString('base64')}|${createHmac('sha1', salt).update('10.0.0.1').digest('base64')} ssh-ed25519 AAA1`;
  writeFileSync(join(home, '.ssh/config'), 'Host alias\n  HostName 10.0.0.1\n');
  writeFileSync(join(home, '.ssh/known_hosts'), `${hashed}\nother ssh-ed25519 AAA2\nalias ssh-ed25519 AAA3\n10.0.0.*,!10.0.0.1 ssh-ed25519 AAA4\n# c\n`);
  const known = (await collector().of(node({ host: 'alias' }), new Set(['host'])))?.secrets.knownHosts;
  expect(known).toEqual([hashed, 'alias ssh-ed25519 AAA3', '10.0.0.1 ssh-ed25519 AAA1', '10.0.0.1 ssh-ed25519 AAA3']);
});
