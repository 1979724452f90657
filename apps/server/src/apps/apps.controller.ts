import { Controller, Get, Inject, Param } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { AppsView, AvailableApps } from '@strata/model';
import { z } from 'zod';
import { ShowApps } from './show-apps';

const Ref = z.string().min(1).max(63);

/** What is there to be seen; whatever changes an application is a run: POST /v1/clusters/:id/runs with `intent.app`. */
@ApiTags('apps')
@Controller('v1')
export class AppsController {
  @Inject() private readonly apps!: ShowApps;

  @Get('clusters/:id/apps')
  @ApiOperation({ operationId: 'listApps', summary: 'The applications of a cluster, as the cluster itself tells: state, revision, and where each comes from' })
  @ApiResponse({ status: 200, standardSchema: AppsView })
  list(@Param('id', { schema: Ref }) id: string): Promise<AppsView> {
    return this.apps.run(id);
  }

  @Get('available-apps')
  @ApiOperation({ operationId: 'listAvailableApps', summary: "What could be installed from the server's bundles" })
  @ApiResponse({ status: 200, standardSchema: AvailableApps })
  available(): Promise<AvailableApps> {
    return this.apps.available();
  }
}
