import { readFileSync } from 'node:fs';
import { type NodeSpec, type SshAccess, sshHost } from '@strata/model';
import SSHConfig from 'ssh-config';
import { usage } from '../cli-error';
import { expandHome } from '../context/paths';

type Env = Readonly<Record<string, string | undefined>>;
/** What ~/.ssh/config says of one host; undefined where it says nothing. */
export interface HostDefaults {
  hostName?: string;
  user?: string;
  port?: number;
  identityFiles: string[];
  proxyJump?: { host: string; user?: string; port?: number };
}

/** Reads ssh_config text. `host` is the name as the operator writes it. */
export function hostDefaults(configText: string, host: string): HostDefaults {
  // `Match exec` would run programs: only Host sections (and Match without exec) count
  const safe = configText.replace(/^[ \t]*Match[ \t].*\bexec\b.*$/gim, 'Host strata-never-matches');
  const found = SSHConfig.parse(safe).compute(host, { ignoreCase: true });
  const first = (name: string): string | undefined => {
    const value = found[name];
    return Array.isArray(value) ? value[0] : value;
  };
  const files = found.identityfile ?? [];
  const jump = first('proxyjump');
  const port = first('port');
  return {
    hostName: first('hostname'),
    user: first('user'),
    port: port === undefined ? undefined : Number(port),
    identityFiles: (Array.isArray(files) ? files : [files]).filter((f) => f.toLowerCase() !== 'none'),
    proxyJump: jump === undefined || jump.toLowerCase() === 'none' ? undefined : jumpOf(jump, host),
  };
}

function jumpOf(text: string, host: string): HostDefaults['proxyJump'] {
  if (text.includes(','))
    throw usage(
      `~/.ssh/config sends ${host} through several hosts (ProxyJump ${text}), and one is supported`,
      'name the one to use as ssh.bastion in the spec',
    );
  const [, user, name = text, port] = /^(?:ssh:\/\/)?(?:([^@]+)@)?([^:]+)(?::(\d+))?$/.exec(text) ?? [];
  return { host: name, ...(user ? { user } : {}), ...(port ? { port: Number(port) } : {}) };
}

export function readSshConfig(env: Env): string {
  try {
    return readFileSync(expandHome('~/.ssh/config', env), 'utf8');
  } catch {
    return '';
  }
}

export interface Resolved {
  node: NodeSpec;
  /** Key files to try, first wins; `asked` when the spec or ssh_config names them, so a missing one is an error. */
  keyFiles: string[];
  asked: boolean;
  /** The key for the bastion, if ssh_config names another. */
  bastionKeyFiles: string[];
}

/**
 * Fills in from ssh_config what the spec leaves out. The server never reads the operator's ssh_config, so the node that goes to it says everything.
 * `written` tells which fields the spec's author wrote, because the schema's defaults hide that.
 */
export function withSshConfig(node: NodeSpec, written: ReadonlySet<string>, configText: string): Resolved {
  const ssh = node.ssh;
  const alias = sshHost(node);
  if (!ssh || alias === undefined) return { node, keyFiles: [], asked: false, bastionKeyFiles: [] };
  const found = hostDefaults(configText, alias);
  const filled: SshAccess = {
    ...ssh,
    host: found.hostName ?? ssh.host,
    user: written.has('user') ? ssh.user : (found.user ?? ssh.user),
    port: written.has('port') ? ssh.port : (found.port ?? ssh.port),
  };
  let bastionKeyFiles: string[] = [];
  if (ssh.bastion === undefined && found.proxyJump) {
    const jump = hostDefaults(configText, found.proxyJump.host);
    filled.bastion = {
      host: jump.hostName ?? found.proxyJump.host,
      user: found.proxyJump.user ?? jump.user ?? filled.user,
      port: found.proxyJump.port ?? jump.port ?? 22,
    };
    bastionKeyFiles = jump.identityFiles;
  }
  if (filled.host === undefined) delete filled.host;
  const keyFiles = ssh.keyFile !== undefined ? [ssh.keyFile] : found.identityFiles;
  return { node: { ...node, ssh: filled }, keyFiles, asked: keyFiles.length > 0, bastionKeyFiles };
}
