import { Inject, Injectable } from '@nestjs/common';
import type { Outside } from '@strata/model';
import type { Control } from '@strata/tasks';
import { ObtainArtifacts } from '../artifacts/obtain-artifacts';
import { ClusterEdges } from '../clusters/cluster-edges';
import { ClusterReleases } from '../clusters/cluster-releases';
import { Edges } from '../serve/edges';
import { serverVersion } from '../serve/version';
import { InstallAgent } from './install-agent';
import { RemoveAgent } from './remove-agent';

/** What only the control server can do, for the tasks of one cluster. */
@Injectable()
export class Controls {
  @Inject() private readonly edges!: Edges;
  @Inject() private readonly artifacts!: ObtainArtifacts;
  @Inject() private readonly clusters!: ClusterEdges;
  @Inject() private readonly releases!: ClusterReleases;
  @Inject() private readonly installer!: InstallAgent;
  @Inject() private readonly remover!: RemoveAgent;

  of(clusterId: string, runId: string): Control {
    const { store, sessions } = this.edges;
    return {
      obtain: async (name, version, options) => this.artifacts.obtain({ name, version }, { ...options, ...(await this.outside(clusterId, runId)) }),
      obtained: (name, version) => this.artifacts.obtained({ name, version }),
      session: async (name) => {
        const node = await store.nodes.named(clusterId, name);
        const session = node && (await sessions.soon(node, this.edges));
        return { connected: Boolean(session), enrolled: node?.state === 'enrolled', agentVersion: session?.hello.agentVersion ?? node?.agentVersion ?? null };
      },
      installAgent: (name, options) => this.installer.run({ clusterId, runId, name }, options),
      removeAgent: (name, options) => this.remover.run({ clusterId, name }, options),
      agentVersion: () => serverVersion,
      keepKubeconfig: (kubeconfig) => this.clusters.keep(clusterId, kubeconfig),
      hasKubeconfig: (exactly) => this.clusters.hasKubeconfig(clusterId, exactly),
      releases: this.releases.of(clusterId),
      authority: () => this.edges.keys.authority.certPem,
      mintedTokenId: async (node) => (await store.mintedTokens.list(clusterId)).find((t) => t.node === node)?.tokenId ?? null,
    };
  }

  /** The way out that the spec of this very run names. */
  private async outside(clusterId: string, runId: string): Promise<{ outside?: Outside }> {
    const run = await this.edges.store.runs.find(runId);
    const spec = run && (await this.edges.store.clusters.spec(clusterId, run.specVersion));
    return spec ? { outside: this.artifacts.outside(spec) } : {};
  }
}
