import { stringify } from 'yaml';

export interface SpecNode {
  readonly name: string;
  readonly address: string;
  readonly hostKey: string;
}
export interface SpecChoice {
  readonly cluster: string;
  readonly distribution: 'k3s' | 'kubernetes';
  readonly version: string;
  readonly keyFile: string;
  /** Holds the password of ops, for login and for sudo. */
  readonly passwordFile: string;
  /** `root` logs in with the key; `ops` needs sudo with a password. */
  readonly user: 'root' | 'ops';
  /** How ops logs in. */
  readonly login: 'key' | 'password';
  /** Names of nodes that come by join command instead of SSH. */
  readonly join: readonly string[];
}

/** Versions that a spec names when the caller does not. */
export const defaultVersions: Readonly<Record<SpecChoice['distribution'], string>> = { kubernetes: '1.37.2', k3s: '1.34.4+k3s1' };

function access(choice: SpecChoice, hostKey: string): object {
  const password = `file:${choice.passwordFile}`;
  const key = choice.user === 'root' || choice.login === 'key';
  return {
    user: choice.user,
    port: 22,
    hostKey,
    ...(key ? { keyFile: choice.keyFile } : { passwordFrom: password }),
    ...(choice.user === 'ops' ? { sudoPasswordFrom: password } : {}),
  };
}

/** A cluster spec for lab nodes: the first is the control plane, all others are workers. */
export const clusterSpec = (choice: SpecChoice, nodes: readonly SpecNode[]): object => ({
  apiVersion: 'strata/v1',
  kind: 'Cluster',
  metadata: { name: choice.cluster },
  spec: {
    distribution: { kind: choice.distribution, version: choice.version },
    nodes: nodes.map(({ name, address, hostKey }, i) => ({
      name,
      address,
      role: i === 0 ? 'control-plane' : 'worker',
      ...(choice.join.includes(name) ? { join: 'token' } : { ssh: access(choice, hostKey) }),
    })),
  },
});

/** The same as the text of a `cluster.yaml`. */
export const clusterYaml = (choice: SpecChoice, nodes: readonly SpecNode[]): string => stringify(clusterSpec(choice, nodes), { lineWidth: 0 });
