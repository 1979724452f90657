import { connect as tcpConnect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Client, utils, type ConnectConfig, type ServerHostKeyAlgorithm } from 'ssh2';
import { fingerprintOf, type HostKeyPolicy, judgeHostKey, knownKeys, type Verdict } from './host-key';
import { SshError } from './ssh-error';

export interface SshTarget {
  host: string;
  port: number;
  user: string;
  hostKey: HostKeyPolicy;
  password?: string;
  /** PEM or OpenSSH text. */
  privateKey?: string;
  passphrase?: string;
  /** Path of an ssh-agent's socket. */
  agentSocket?: string;
}
export interface Connected {
  client: Client;
  /** Our own address on the way to the machine; null through a bastion. */
  localAddress: string | null;
  /** The fingerprint that was accepted, and why. */
  hostKey: { fingerprint: string; accepted: 'fingerprint' | 'known-hosts' | 'new' };
}

/** One attempt per family: a fingerprint names one key, and a machine has several. */
const families: ServerHostKeyAlgorithm[][] = [
  ['ssh-ed25519'],
  ['ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp521'],
  ['rsa-sha2-512', 'rsa-sha2-256', 'ssh-rsa'],
];
const familyOf = (type: string): number => (type === 'ssh-ed25519' ? 0 : type.startsWith('ecdsa') ? 1 : 2);

function readKey(target: SshTarget): void {
  if (target.privateKey === undefined) return;
  const parsed = utils.parseKey(target.privateKey, target.passphrase);
  if (!(parsed instanceof Error)) return;
  const where = `the private key for ${target.user}@${target.host}`;
  if (/encrypted|passphrase|decrypt|integrity|bad/i.test(parsed.message)) {
    const wrong =
      target.passphrase === undefined ? `${where} is encrypted and no passphrase was given` : `${where} does not open with the passphrase that was given`;
    throw new SshError('key-encrypted', wrong, {
      remedy: 'give the passphrase with ssh.passphraseFrom (prompt, env:NAME or file:PATH), or use an ssh agent with ssh.agent: true',
      cause: parsed,
    });
  }
  throw new SshError('key-unreadable', `${where} cannot be read: ${parsed.message}`, {
    remedy: 'name another keyFile; OpenSSH and PEM keys are understood',
    cause: parsed,
  });
}

/**
 * Opens an authenticated connection. The host key is judged before anything secret is sent.
 * @param options.timeoutMs for the whole hand-shake, each try.
 * @throws SshError with a remedy.
 */
export async function connect(target: SshTarget, options: { timeoutMs: number; signal: AbortSignal; through?: Client }): Promise<Connected> {
  readKey(target);
  const known = target.hostKey.fingerprint ? [] : knownKeys(target.hostKey.knownHosts, target.host, target.port);
  const order = known.length > 0 ? [...new Set(known.map((k) => familyOf(k.type)))] : [0, 1, 2];
  let refused: SshError | undefined;
  for (const family of order) {
    try {
      return await connectOnce(target, families[family] ?? [], options);
    } catch (error) {
      if (error instanceof SshError && hasNoKeyOfFamily(error) && family !== order.at(-1)) continue;
      if (!(error instanceof SshError) || error.code !== 'host-key-mismatch') {
        if (refused && error instanceof SshError && error.code === 'unreachable') throw refused; // the machine has no key of this family
        throw error;
      }
      refused ??= error;
    }
  }
  throw refused ?? new SshError('unreachable', `${target.host} offers no host key that we know how to check`, { remedy: 'check the sshd of that machine' });
}

/** What ssh2 says when the other side offers no host key of the kinds that we asked for. */
const hasNoKeyOfFamily = (error: SshError): boolean => /no matching host key format/i.test(error.message);

async function connectOnce(
  target: SshTarget,
  serverHostKey: ServerHostKeyAlgorithm[],
  options: { timeoutMs: number; signal: AbortSignal; through?: Client },
): Promise<Connected> {
  const name = `${target.user}@${target.host}:${target.port}`;
  options.signal.throwIfAborted();
  const sock = options.through ? await forwarded(options.through, target) : await dialled(target, options);
  const client = new Client();
  let verdict: Verdict | undefined;
  let presented = '';
  return new Promise<Connected>((resolve, reject) => {
    const stop = (error: SshError): void => {
      clearTimeout(timer);
      client.destroy();
      reject(error);
    };
    const timer = setTimeout(
      () =>
        stop(
          new SshError('timeout', `${name} did not finish the SSH hand-shake in ${options.timeoutMs} ms`, {
            remedy: 'check the machine and the network between, then try again',
          }),
        ),
      options.timeoutMs,
    );
    client.once('ready', () => {
      clearTimeout(timer);
      const accepted = verdict?.ok === true ? verdict.accepted : 'known-hosts';
      resolve({ client, localAddress: options.through ? null : ((sock as Socket).localAddress ?? null), hostKey: { fingerprint: presented, accepted } });
    });
    client.on('error', (error: Error & { level?: string }) => stop(explain(error, { name, target, verdict, presented })));
    client.once('close', () => stop(explain(new Error('the connection was closed'), { name, target, verdict, presented })));
    const config: ConnectConfig = {
      sock,
      username: target.user,
      password: target.password,
      privateKey: target.privateKey,
      passphrase: target.passphrase,
      agent: target.agentSocket,
      tryKeyboard: target.password !== undefined,
      keepaliveInterval: 10_000,
      keepaliveCountMax: 3,
      readyTimeout: options.timeoutMs,
      algorithms: { serverHostKey },
      hostVerifier: (key: Buffer) => {
        presented = fingerprintOf(key);
        verdict = judgeHostKey(key, target.hostKey, target);
        return verdict.ok;
      },
    };
    client.on('keyboard-interactive', (...[, , , prompts, finish]) => finish(prompts.map(() => target.password ?? '')));
    client.connect(config);
  });
}

function explain(error: Error & { level?: string }, c: { name: string; target: SshTarget; verdict: Verdict | undefined; presented: string }): SshError {
  if (c.verdict?.ok === false && c.verdict.expected.length > 0)
    return new SshError(
      'host-key-mismatch',
      `${c.name} shows the host key ${c.presented}, but ${c.verdict.expected.join(' or ')} was expected: this may be another machine`,
      {
        remedy: 'compare with `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on the machine itself, then correct ssh.hostKey or known_hosts',
        presented: c.presented,
        expected: c.verdict.expected,
      },
    );
  if (c.verdict?.ok === false)
    return new SshError('host-key-unknown', `nobody knows the host key of ${c.name}: it shows ${c.presented}`, {
      remedy: `compare it with \`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub\` on the machine itself, then set ssh.hostKey: ${c.presented}, or ssh.acceptNewHostKey: true to take it unseen (on a command line: \`--host-key\` or \`--accept-new-host-key\`)`,
      presented: c.presented,
      expected: [],
    });
  if (error.level === 'client-authentication') {
    const tried = [c.target.privateKey && 'key', c.target.agentSocket && 'ssh agent', c.target.password && 'password'].filter(Boolean).join(', ') || 'nothing';
    return new SshError('auth-failed', `${c.name} refused the login (tried: ${tried})`, {
      remedy: 'check user, key and password; the key must stand in that user’s authorized_keys',
      cause: error,
    });
  }
  if (error.level === 'agent')
    return new SshError('agent-unavailable', `the ssh agent at ${c.target.agentSocket ?? '?'} is of no use for ${c.name}: ${error.message}`, {
      remedy: 'see that it runs on the control host and holds the key (`ssh-add -l`), then try again; or name a keyFile instead of ssh.agent',
      cause: error,
    });
  return new SshError('unreachable', `${c.name}: ${error.message}`, {
    remedy: 'check that the machine is on, that its sshd runs, and that address and port are right',
    cause: error,
  });
}

function dialled(target: SshTarget, options: { timeoutMs: number; signal: AbortSignal }): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = tcpConnect({ host: target.host, port: target.port, signal: options.signal });
    const fail = (why: string, cause?: Error): void => {
      socket.destroy();
      reject(
        new SshError('unreachable', `${target.host}:${target.port} cannot be reached: ${why}`, {
          remedy: 'check that the machine is on, that its sshd runs, and that address and port are right',
          cause,
        }),
      );
    };
    socket.setTimeout(options.timeoutMs, () => fail(`no answer in ${options.timeoutMs} ms`));
    socket.once('error', (e) => fail(e.message, e));
    socket.once('connect', () => {
      socket.setTimeout(0);
      socket.removeAllListeners('error');
      socket.setNoDelay(true); // 2 ms instead of 44 ms a command
      resolve(socket);
    });
  });
}
function forwarded(through: Client, target: SshTarget): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    through.forwardOut('127.0.0.1', 0, target.host, target.port, (error, stream) =>
      error
        ? reject(
            new SshError('unreachable', `the bastion cannot reach ${target.host}:${target.port}: ${error.message}`, {
              remedy: 'check the bastion’s network and AllowTcpForwarding',
              cause: error,
            }),
          )
        : resolve(stream),
    );
  });
}
