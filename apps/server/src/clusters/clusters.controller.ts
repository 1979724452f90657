import { Body, Controller, Delete, Get, Header, HttpCode, Inject, Param, Post, Query } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { ApplyClusterBody, ClusterHealth, ClusterView, ImagesView, RunStarted, StartRunBody } from '@strata/model';
import { z } from 'zod';
import { By } from '../api/by';
import { ShowImages } from '../nodes/show-images';
import { StartRun } from '../runs/start-run';
import { ApplyCluster } from './apply-cluster';
import { DeleteCluster } from './delete-cluster';
import { ShowClusters } from './show-clusters';
import { ShowHealth } from './show-health';

const Ref = z.string().min(1).max(63);

@ApiTags('clusters')
@Controller('v1/clusters')
export class ClustersController {
  @Inject() private readonly apply!: ApplyCluster;
  @Inject() private readonly show!: ShowClusters;
  @Inject() private readonly healthOf!: ShowHealth;
  @Inject() private readonly imagesOf!: ShowImages;
  @Inject() private readonly remove!: DeleteCluster;
  @Inject() private readonly startRun!: StartRun;

  @Post()
  @HttpCode(200)
  @ApiOperation({ operationId: 'applyCluster', summary: 'Make a cluster, or give it a new version of its spec' })
  @ApiResponse({ status: 200, standardSchema: ClusterView })
  applyCluster(@Body({ schema: ApplyClusterBody }) body: ApplyClusterBody, @By() by: string): Promise<ClusterView> {
    return this.apply.run(body, by);
  }

  @Get()
  @ApiOperation({ operationId: 'listClusters' })
  @ApiResponse({ status: 200, standardSchema: z.array(ClusterView) })
  list(): Promise<ClusterView[]> {
    return this.show.all();
  }

  @Get(':id')
  @ApiOperation({ operationId: 'getCluster', summary: 'By id or name' })
  @ApiResponse({ status: 200, standardSchema: ClusterView })
  get(@Param('id', { schema: Ref }) id: string): Promise<ClusterView> {
    return this.show.one(id);
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiOperation({ operationId: 'deleteCluster', summary: 'Forget a cluster that is uninstalled, or any with force' })
  delete(@Param('id', { schema: Ref }) id: string, @Query('force', { schema: z.stringbool().default(false) }) force: boolean, @By() by: string): Promise<void> {
    return this.remove.run(id, { force, by });
  }

  @Post(':id/runs')
  @HttpCode(202)
  @ApiOperation({ operationId: 'startRun' })
  @ApiResponse({ status: 202, standardSchema: RunStarted })
  start(@Param('id', { schema: Ref }) id: string, @Body({ schema: StartRunBody }) body: StartRunBody, @By() by: string): Promise<RunStarted> {
    return this.startRun.run(id, body, by);
  }

  @Get(':id/health')
  @ApiOperation({ operationId: 'getHealth', summary: 'Its three layers: machines, Kubernetes, and each component of its bundles with its gates' })
  @ApiResponse({ status: 200, standardSchema: ClusterHealth })
  health(@Param('id', { schema: Ref }) id: string): Promise<ClusterHealth> {
    return this.healthOf.run(id);
  }

  @Get(':id/images')
  @ApiOperation({ operationId: 'listImages', summary: 'The images that each node is to have, and whether it has them' })
  @ApiResponse({ status: 200, standardSchema: ImagesView })
  images(@Param('id', { schema: Ref }) id: string): Promise<ImagesView> {
    return this.imagesOf.run(id);
  }

  @Get(':id/kubeconfig')
  @Header('content-type', 'application/yaml')
  @Header('cache-control', 'no-store')
  @ApiOperation({ operationId: 'getKubeconfig', summary: 'The admin kubeconfig' })
  kubeconfig(@Param('id', { schema: Ref }) id: string, @By() by: string): Promise<string> {
    return this.show.kubeconfig(id, by);
  }
}
