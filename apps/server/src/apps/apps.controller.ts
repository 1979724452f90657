import { Controller, Get, Inject, Param, Query, Res } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { AppLogLine, AppLogQuery, AppsView, AvailableApps, Name } from '@strata/model';
import { z } from 'zod';
import type { Response } from '../api/http';
import { FollowLogs } from '../pods/follow-logs';
import { ShowApps } from './show-apps';

const Ref = z.string().min(1).max(63);
const AppPath = z.object({ id: Ref, namespace: Name, name: Name });

/** What is there to be seen; whatever changes an application is a run: POST /v1/clusters/:id/runs with `intent.app`. */
@ApiTags('apps')
@Controller('v1')
export class AppsController {
  @Inject() private readonly apps!: ShowApps;
  @Inject() private readonly logs!: FollowLogs;

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

  @Get('clusters/:id/apps/:namespace/:name/logs')
  @ApiOperation({ operationId: 'readAppLogs', summary: 'What its containers say: a JSON object a line (application/x-ndjson); empty lines are signs of life' })
  @ApiResponse({ status: 200, standardSchema: AppLogLine })
  async read(
    @Param({ schema: AppPath }) { id, ...of }: z.infer<typeof AppPath>,
    @Query({ schema: AppLogQuery }) query: z.output<typeof AppLogQuery>,
    @Res() response: Response,
  ): Promise<void> {
    await this.logs.run(id, { of: 'app', ...of }, { query, response });
  }
}
