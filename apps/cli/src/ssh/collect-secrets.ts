import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { NodeSpec, SshSecrets } from '@strata/model';
import { usage } from '../cli-error';
import { expandHome } from '../context/paths';
import type { Terminal } from '../terminal';
import { linesFor, readKnownHosts } from './known-hosts';
import { readSshConfig, type Resolved, withSshConfig } from './ssh-config';

type Env = Readonly<Record<string, string | undefined>>;
export interface World {
  env: Env;
  terminal: Pick<Terminal, 'askHidden'>;
  /** Whether the server runs on this host: only then can it use this user's ssh agent. */
  serverIsLocal: boolean;
}
export interface Collected {
  node: NodeSpec;
  secrets: SshSecrets;
}
const usualKeys = ['~/.ssh/id_ed25519', '~/.ssh/id_ecdsa', '~/.ssh/id_rsa'];
const largestKey = 1 << 16;

/** What the server needs for the first contact with a node: asked for once, sent once. Asks each question once: the same user at several nodes has, as a rule, the same password. */
export class SecretCollector {
  private readonly answers = new Map<string, Promise<string>>();
  private readonly config: string;
  private readonly known: string[];

  constructor(private readonly world: World) {
    this.config = readSshConfig(world.env);
    this.known = readKnownHosts(world.env);
  }

  /** The node with what ~/.ssh/config adds, without any secret. */
  complete(node: NodeSpec, written: ReadonlySet<string>): Resolved {
    return withSshConfig(node, written, this.config);
  }

  /** Null for a node without ssh. @throws CliError when a secret cannot be had */
  async of(node: NodeSpec, written: ReadonlySet<string>): Promise<Collected | null> {
    if (!node.ssh) return null;
    const resolved = this.complete(node, written);
    const ssh = resolved.node.ssh!;
    const { passwordFrom, sudoPasswordFrom, passphraseFrom } = ssh;
    if (ssh.agent && !this.world.serverIsLocal)
      throw usage(
        `node ${node.name} asks for ssh.agent, but the control server runs on another host and cannot reach your agent`,
        'run this command on the control host (log in there with `ssh -A`), or name a keyFile or a passwordFrom',
      );
    if (ssh.agent && !this.world.env.SSH_AUTH_SOCK)
      throw usage(
        `node ${node.name} asks for ssh.agent, but SSH_AUTH_SOCK is not set`,
        'start an agent (ssh-agent) and add the key (ssh-add), or name a keyFile',
      );
    const privateKey = this.privateKey(node.name, resolved);
    const needsPhrase = privateKey !== undefined && isEncrypted(privateKey);
    const password =
      passwordFrom === undefined ? undefined : await this.secret(passwordFrom, `password of ${ssh.user} on ${node.name}`, `password of ${ssh.user}`);
    const from = passphraseFrom ?? (needsPhrase ? 'prompt' : undefined);
    const passphrase =
      from === undefined ? undefined : await this.secret(from, `passphrase of the key for ${node.name}`, `passphrase of ${resolved.keyFiles[0] ?? 'the key'}`);
    const sudoPassword =
      sudoPasswordFrom === undefined || sudoPasswordFrom === 'same'
        ? sudoPasswordFrom === 'same'
          ? password
          : undefined
        : await this.secret(sudoPasswordFrom, `sudo password of ${ssh.user} on ${node.name}`, `sudo password of ${ssh.user}`);
    if (privateKey === undefined && password === undefined && !ssh.agent)
      throw usage(
        `nothing opens node ${node.name}: no key file was found (${usualKeys.join(', ')}), and the spec names neither keyFile, passwordFrom nor agent`,
        'add one of them under ssh: of that node',
      );
    const bastionPrivateKey = resolved.bastionKeyFiles.length > 0 ? this.firstKey(resolved.bastionKeyFiles, true, `the bastion of ${node.name}`) : undefined;
    const agentSocket = ssh.agent ? resolve(this.world.env.SSH_AUTH_SOCK ?? '') : undefined;
    const knownHosts = this.knownHosts(node, resolved.node);
    return { node: resolved.node, secrets: without({ password, sudoPassword, privateKey, passphrase, bastionPrivateKey, agentSocket, knownHosts }) };
  }

  /** A secret that belongs to no node. @throws CliError when it cannot be had */
  named(from: string, what: string): Promise<string> {
    return this.secret(from, what, what);
  }
  /** Whether it is there without a question. */
  canGive(from: string): boolean {
    if (from.startsWith('env:')) return (this.world.env[from.slice('env:'.length)] ?? '') !== '';
    return from.startsWith('file:') && statSync(expandHome(from.slice('file:'.length), this.world.env), { throwIfNoEntry: false })?.isFile() === true;
  }

  private privateKey(node: string, resolved: Resolved): string | undefined {
    const ssh = resolved.node.ssh!;
    if (resolved.asked) return this.firstKey(resolved.keyFiles, ssh.keyFile !== undefined, node);
    return ssh.passwordFrom === undefined && !ssh.agent ? this.firstKey(usualKeys, false, node) : undefined;
  }
  private firstKey(files: readonly string[], must: boolean, node: string): string | undefined {
    let last: unknown;
    for (const file of files) {
      try {
        return this.keyText(expandHome(file, this.world.env));
      } catch (error) {
        last = error;
      }
    }
    if (must) throw usage(`the key file for ${node} cannot be used: ${(last as Error).message}`, 'name the private key with keyFile, readable by you', last);
    return undefined;
  }
  private keyText(path: string): string {
    if (statSync(path).size > largestKey) throw new Error(`${path} is too large for a private key`);
    const text = readFileSync(path, 'utf8');
    if (!text.includes('PRIVATE KEY')) throw new Error(`${path} is not a private key${/^(ssh|ecdsa)-/.test(text) ? ' but a public one' : ''}`);
    return text;
  }

  /** What is known of the machine under any of its names, also under the one that the server uses; and of its bastion. */
  private knownHosts(asked: NodeSpec, node: NodeSpec): string[] {
    const { port, host = node.address ?? '', bastion } = node.ssh!;
    const names = new Set([host, asked.ssh?.host ?? '', node.address ?? '']);
    names.delete('');
    const lines = linesFor(this.known, [...names].map((name) => ({ host: name, port }))); // prettier-ignore
    const name = port === 22 ? host : `[${host}]:${port}`;
    const renamed = lines.filter((l) => !l.startsWith('@')).map((l) => `${name} ${l.split(/\s+/).slice(1).join(' ')}`);
    return [...new Set([...lines, ...renamed, ...(bastion ? linesFor(this.known, [bastion]) : [])])];
  }

  private secret(from: string, what: string, sameAs: string): Promise<string> {
    if (from === 'prompt') {
      const known = this.answers.get(sameAs) ?? this.world.terminal.askHidden(`${what}: `);
      this.answers.set(sameAs, known);
      return known;
    }
    return Promise.resolve(this.written(from, what));
  }
  private written(from: string, what: string): string {
    const name = from.slice(from.indexOf(':') + 1);
    if (from.startsWith('env:')) {
      const value = this.world.env[name];
      if (value === undefined || value === '')
        throw usage(`the ${what} comes from ${from}, which is not set`, `export ${name}, or take it from a file or by prompt`);
      return value;
    }
    try {
      return readFileSync(expandHome(name, this.world.env), 'utf8').replace(/\r?\n$/, '');
    } catch (cause) {
      throw usage(`the ${what} comes from ${from}, which cannot be read: ${(cause as Error).message}`, 'name a file that you can read', cause);
    }
  }
}

/** PEM and OpenSSH keys say, or hold, whether a passphrase locks them. */
export function isEncrypted(key: string): boolean {
  if (/ENCRYPTED/.test(key)) return true;
  const body = /-----BEGIN OPENSSH PRIVATE KEY-----([\s\S]*?)-----END/.exec(key)?.[1];
  if (body === undefined) return false;
  const bytes = Buffer.from(body.replace(/\s+/g, ''), 'base64');
  const length = bytes.length > 19 ? bytes.readUInt32BE(15) : 0; // "openssh-key-v1\0", then the cipher's name
  return bytes.subarray(19, 19 + length).toString('latin1') !== 'none';
}

const without = (secrets: { [K in keyof SshSecrets]: SshSecrets[K] | undefined }): SshSecrets =>
  Object.fromEntries(Object.entries(secrets).filter(([, v]) => v !== undefined)) as SshSecrets; // prettier-ignore
