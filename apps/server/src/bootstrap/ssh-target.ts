import { type NodeSpec, sshHost, type SshSecrets } from '@strata/model';
import type { SshOptions } from '@strata/host-ssh';

/** How to reach a machine by SSH: what the spec says and the secrets that came with it. Throws when the spec gives no way. */
export function sshTarget(node: NodeSpec, secrets: SshSecrets | null, signal: AbortSignal): SshOptions {
  const ssh = node.ssh;
  const host = sshHost(node);
  if (!ssh || host === undefined) throw new Error(`node ${node.name} has no ssh access in the spec; let it join with: strata node join-command ${node.name}`);
  const knownHosts = secrets?.knownHosts ?? [];
  const agentSocket = ssh.agent ? (secrets?.agentSocket ?? process.env.SSH_AUTH_SOCK) : undefined; // the caller's, else the server's own
  const bastion = ssh.bastion;
  return {
    host,
    port: ssh.port,
    user: ssh.user,
    hostKey: { fingerprint: ssh.hostKey, knownHosts, acceptNew: ssh.acceptNewHostKey },
    password: secrets?.password,
    privateKey: secrets?.privateKey,
    passphrase: secrets?.passphrase,
    agentSocket,
    sudoPassword: ssh.sudoPasswordFrom === 'same' ? (secrets?.sudoPassword ?? secrets?.password) : secrets?.sudoPassword,
    bastion: bastion && {
      host: bastion.host,
      port: bastion.port,
      user: bastion.user,
      hostKey: { fingerprint: bastion.hostKey, knownHosts, acceptNew: false },
      password: secrets?.bastionPassword,
      privateKey: secrets?.bastionPrivateKey ?? secrets?.privateKey,
      passphrase: secrets?.passphrase,
      agentSocket,
    },
    signal,
  };
}
