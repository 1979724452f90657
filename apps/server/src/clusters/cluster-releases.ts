import { chmod, copyFile, mkdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Inject, Injectable } from '@nestjs/common';
import { Helm } from '@strata/cluster';
import { type Releases, TaskError } from '@strata/tasks';
import { Bundles } from '../artifacts/bundles';
import { ObtainArtifacts } from '../artifacts/obtain-artifacts';
import { Edges } from '../serve/edges';
import { ClusterEdges } from './cluster-edges';

/** Helm's releases in each cluster, by the program of the catalog and the kubeconfig that is kept. */
@Injectable()
export class ClusterReleases {
  @Inject() private readonly edges!: Edges;
  @Inject() private readonly artifacts!: ObtainArtifacts;
  @Inject() private readonly bundles!: Bundles;
  @Inject() private readonly clusters!: ClusterEdges;
  private placing: Promise<string> | null = null;
  private readonly made = new Map<string, Helm>(); // by cluster: each keeps its connection, and what it read

  /** Nothing is asked yet: before a kubeconfig is kept and Helm is in the store, every call fails with what is awaited. */
  of(clusterId: string): Releases {
    const known = this.made.get(clusterId);
    if (known) return known;
    const scratch = join(this.edges.settings.home, 'helm');
    const kubeconfig = (): Promise<string> => this.clusters.kubeconfig(clusterId);
    const made = new Helm({ binary: () => this.program(scratch), kubeconfig, scratch, chartDir: (chart) => this.bundles.chartDir(chart) });
    this.made.set(clusterId, made);
    return made;
  }

  /** The program out of the store, where it can be run. Many releases ask for it at once: it is put there once. */
  private program(scratch: string): Promise<string> {
    this.placing ??= this.place(scratch).finally(() => (this.placing = null));
    return this.placing;
  }
  private async place(scratch: string): Promise<string> {
    const artifact = await this.artifacts.obtained({ name: 'helm' });
    if (artifact?.kind !== 'file')
      throw new TaskError('no-helm', `Helm is not in the store of the control server yet`, {
        remedy: 'retry the step when `artifact.obtain` is done',
        unknownUntil: 'step cluster/artifact.obtain@helm',
        retry: true,
      });
    const path = join(scratch, `helm-${artifact.blob.sha256.slice(0, 16)}`);
    if (await stat(path).catch(() => null)) return path;
    await mkdir(scratch, { recursive: true, mode: 0o700 });
    const part = `${path}.${process.pid}.part`;
    await copyFile(this.artifacts.store.blobPath(artifact.blob.sha256), part);
    await chmod(part, 0o700);
    await rename(part, path);
    return path;
  }
}
