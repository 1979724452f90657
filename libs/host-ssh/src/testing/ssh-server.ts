import { spawn } from 'node:child_process';
import type { AddressInfo } from 'node:net';
import { Server, utils } from 'ssh2';
import { keyPair } from './key-pair';

export interface TestServer {
  port: number;
  /** As `ssh-keygen -lf` prints it. */
  hostKeyLine: string;
  commands: string[];
  close(): Promise<void>;
}
/** An SSH server on loopback that runs commands with a login shell of the test's choice; password `right`. */
export async function sshServer(
  options: { shell?: readonly [string, ...string[]]; greeting?: string; silent?: boolean; hostKey?: 'ed25519' | 'rsa' } = {},
): Promise<TestServer> {
  const keys = options.hostKey === 'rsa' ? utils.generateKeyPairSync('rsa', { bits: 2048 }) : keyPair();
  const commands: string[] = [];
  const shell = options.shell ?? (['/bin/sh', '-c'] as const);
  const server = new Server({ hostKeys: [keys.private], banner: 'Authorised use only.\r\n'.repeat(50) }, (client) => {
    client.on('error', () => undefined);
    client.on('authentication', (auth) => (auth.method === 'password' && auth.password === 'right' ? auth.accept() : auth.reject(['password'])));
    client.on('session', (accept) => {
      accept().on('exec', (acceptExec, _reject, info) => {
        commands.push(info.command);
        const channel = acceptExec();
        if (options.silent) return;
        if (options.greeting) channel.write(options.greeting);
        const child = spawn(shell[0], [...shell.slice(1), info.command], { stdio: 'pipe' });
        child.stdin.on('error', () => undefined);
        channel.pipe(child.stdin);
        channel.on('close', () => child.stdin.end()); // as sshd does: the program's input ends with its channel
        child.stdout.pipe(channel, { end: false });
        child.stderr.pipe(channel.stderr, { end: false });
        child.on('close', (code) => {
          channel.exit(code ?? 255);
          channel.end();
        });
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    hostKeyLine: keys.public,
    commands,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
