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
  readonly user: string;
}

/** Versions that a spec names when the caller does not. */
export const defaultVersions: Readonly<Record<SpecChoice['distribution'], string>> = { kubernetes: '1.37.2', k3s: '1.37.2+k3s1' };

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
      ssh: { user: choice.user, port: 22, hostKey, keyFile: choice.keyFile },
    })),
  },
});

/** The same as the text of a `cluster.yaml`. */
export const clusterYaml = (choice: SpecChoice, nodes: readonly SpecNode[]): string => stringify(clusterSpec(choice, nodes), { lineWidth: 0 });
