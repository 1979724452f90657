import { Controller, Get, Inject, Param, Query, Req, Res } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { AppLogLine, AppLogQuery, PodEventsView, PodNews, PodRef, PodsView } from '@strata/model';
import { z } from 'zod';
import type { Request, Response } from '../api/http';
import { FollowLogs } from './follow-logs';
import { FollowPods } from './follow-pods';
import { ShowPodEvents } from './show-pod-events';
import { ShowPods } from './show-pods';

const Ref = z.string().min(1).max(63);
const PodPath = PodRef.extend({ id: Ref });

@ApiTags('pods')
@Controller('v1/clusters/:id/pods')
export class PodsController {
  @Inject() private readonly pods!: ShowPods;
  @Inject() private readonly follow!: FollowPods;
  @Inject() private readonly eventsOf!: ShowPodEvents;
  @Inject() private readonly logsOf!: FollowLogs;

  @Get()
  @ApiOperation({ operationId: 'listPods', summary: 'Every pod: where it is, whose, what it uses, and what is wrong with it' })
  @ApiResponse({ status: 200, standardSchema: PodsView })
  list(@Param('id', { schema: Ref }) id: string): Promise<PodsView> {
    return this.pods.run(id);
  }

  @Get('stream')
  @ApiOperation({
    operationId: 'followPods',
    summary: 'Server-sent events: `pods` (all of them), then `pod`, `gone` and `state`; after Last-Event-ID only what came since, where that is still known',
  })
  @ApiResponse({ status: 200, standardSchema: PodNews })
  async stream(@Param('id', { schema: Ref }) id: string, @Req() request: Request, @Res() response: Response): Promise<void> {
    await this.follow.run(id, request.header('last-event-id'), response);
  }

  @Get(':namespace/:name/events')
  @ApiOperation({ operationId: 'listPodEvents', summary: 'What Kubernetes tells of a pod, the newest last' })
  @ApiResponse({ status: 200, standardSchema: PodEventsView })
  events(@Param({ schema: PodPath }) { id, ...of }: z.infer<typeof PodPath>): Promise<PodEventsView> {
    return this.eventsOf.run(id, of);
  }

  @Get(':namespace/:name/logs')
  @ApiOperation({ operationId: 'readPodLogs', summary: 'What its containers say: a JSON object a line (application/x-ndjson); empty lines are signs of life' })
  @ApiResponse({ status: 200, standardSchema: AppLogLine })
  async logs(
    @Param({ schema: PodPath }) { id, ...of }: z.infer<typeof PodPath>,
    @Query({ schema: AppLogQuery }) query: z.output<typeof AppLogQuery>,
    @Res() response: Response,
  ): Promise<void> {
    await this.logsOf.run(id, { of: 'pod', ...of }, { query, response });
  }
}
