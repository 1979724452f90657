import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Lab } from './lab';
import { must, type Ran, runProgram, until } from './program';

/** How a person logs in at a machine with OpenSSH, and becomes root there. */
export interface Login {
  user: string;
  key?: string; // path of a private key
  agent?: string; // path of an agent's socket
  /** Path of a file with what ssh asks for: the password, or the passphrase of the key. */
  answer?: string;
  sudo?: { password?: string }; // path of a file; without one sudo asks for none
  bastion?: { address: string; user: string; key: string };
  program?: readonly string[]; // instead of becoming root
}

/** Logs in as a person would, with nothing of ours, and says what came. Code 0: this account is root's to use. */
export async function logIn(lab: Lab, node: string, login: Login): Promise<Ran> {
  const bare = ['-F', '/dev/null', '-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null', '-o', 'LogLevel=ERROR', '-o', 'ConnectTimeout=20'];
  const only = ['-o', 'NumberOfPasswordPrompts=1', ...(login.key ? ['-i', login.key, '-o', 'IdentitiesOnly=yes'] : []), ...(login.key || login.agent ? ['-o', 'PreferredAuthentications=publickey'] : ['-o', 'PreferredAuthentications=password,keyboard-interactive', '-o', 'PubkeyAuthentication=no'])]; // prettier-ignore
  const jump = login.bastion
    ? ['-o', `ProxyCommand=ssh ${bare.join(' ')} -i ${login.bastion.key} -W %h:%p ${login.bastion.user}@${login.bastion.address}`]
    : [];
  const sudo = login.sudo?.password === undefined ? ['sudo', '-n', 'id', '-u'] : ['sudo', '-k', '-S', '-p', '', 'id', '-u'];
  const program = login.program ?? (login.user === 'root' ? ['id', '-u'] : sudo);
  const ask: Record<string, string> = login.answer === undefined ? {} : { SSH_ASKPASS: askFrom(login.answer), SSH_ASKPASS_REQUIRE: 'force', DISPLAY: ':0' };
  return runProgram(['setsid', '-w', 'ssh', ...bare, ...only, ...jump, `${login.user}@${lab.node(node).address}`, program.map(quoted).join(' ')], {
    timeoutMs: 60_000,
    env: { SSH_AUTH_SOCK: login.agent ?? '', ...ask },
    input: login.sudo?.password === undefined ? '' : (await must(['cat', login.sudo.password], { timeoutMs: 5_000 })).stdout,
  });
}
const quoted = (word: string): string => `'${word}'`; // our words hold no quotes; fish and csh read it like sh
/** A program that prints what a file holds: how ssh is answered without a terminal. */
function askFrom(file: string): string {
  const program = `${file}.ask`;
  if (!existsSync(program)) writeFileSync(program, `#!/bin/sh\ncat ${file}\n`, { mode: 0o700 });
  return program;
}

/** An account with the lab's key. `free`: its sudo asks for nothing. */
export async function account(lab: Lab, node: string, { user, shell = '/bin/bash', free = true }: { user: string; shell?: string; free?: boolean }): Promise<void> {
  const script = `id "$1" >/dev/null 2>&1 || useradd -m "$1"; chsh -s "$(command -v "$2" || echo "$2")" "$1"
install -d -m 700 -o "$1" -g "$1" "/home/$1/.ssh"; install -m 600 -o "$1" -g "$1" /root/.ssh/authorized_keys "/home/$1/.ssh/authorized_keys"
if [ "$3" = free ]; then echo "$1 ALL=(ALL) NOPASSWD: ALL" > "/etc/sudoers.d/$1"; fi`;
  await lab.must(node, ['sh', '-ec', script, 'sh', user, shell, free ? 'free' : 'asks']);
} // prettier-ignore

/** A new key in `folder`. Gives its path. */
export async function newKey(folder: string, name: string, passphrase = ''): Promise<string> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, name);
  await must(['ssh-keygen', '-q', '-t', 'ed25519', '-a', '8', '-N', passphrase, '-C', '', '-f', path], { timeoutMs: 30_000 });
  chmodSync(path, 0o600);
  return path;
}

/** An ssh agent of a person: it alone holds the key. */
export async function agentWith(key: string, socket: string): Promise<ChildProcess> {
  const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' });
  await until('the ssh agent to listen', 10_000, () => existsSync(socket));
  await must(['ssh-add', '-q', key], { timeoutMs: 10_000, env: { SSH_AUTH_SOCK: socket } });
  return agent;
}
