import type { Command } from 'commander';

/** How a machine is logged in to, as the options of a command say it. Secrets are never among them: only where to take them from. */
export interface SshFlags {
  keyFile?: string;
  passwordFrom?: string;
  passphraseFrom?: string;
  sudoPasswordFrom?: string;
  hostKey?: string;
  acceptNewHostKey?: boolean;
  bastion?: string;
  agent?: boolean;
}
interface Login {
  /** The option that these belong to, where a command has others. */
  when?: string;
  /** What it means to trust a host key here. */
  trust: string;
  /** One machine: its fingerprint can be given. */
  one?: boolean;
  /** The control server logs in: it may go through a bastion, or use an agent. */
  byServer?: boolean;
}

/** The options of a login by SSH: the same ones, in the same words, for every command that has them. */
export function withLogin(command: Command, { when, trust, one = false, byServer = false }: Login): Command {
  const only = (what: string): string => (when === undefined ? what : `${when}: ${what}`);
  command
    .option('--key-file <path>', only('private key; default: what ~/.ssh/config and ~/.ssh offer'))
    .option('--password-from <source>', only('prompt, env:NAME or file:PATH'))
    .option('--passphrase-from <source>', `${when === undefined ? '' : `${when}, `}of the key: prompt, env:NAME or file:PATH`)
    .option('--sudo-password-from <source>', only('same, prompt, env:NAME or file:PATH'));
  if (one) command.option('--host-key <fingerprint>', only('SHA256:… as `ssh-keygen -lf` prints it'));
  command.option('--accept-new-host-key', only(trust));
  if (!byServer) return command;
  return command
    .option('--bastion <user@host[:port]>', only('go through this host'))
    .option('--agent', only('use the ssh agent; only if the control server runs on this host'));
}
