import { Controller, Get, HttpCode, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { RunDetails, RunPage, StepLog } from '@strata/model';
import type { Request, Response } from '../api/http';
import { z } from 'zod';
import { By } from '../api/by';
import { ChangeRun } from './change-run';
import { FollowRun } from './follow-run';
import { ShowRuns } from './show-runs';

const Id = z.uuid();
const Filter = z.object({ cluster: z.string().optional(), cursor: z.string().optional(), limit: z.coerce.number().int().min(1).max(200).default(50) });

@ApiTags('runs')
@Controller('v1/runs')
export class RunsController {
  constructor(
    private readonly show: ShowRuns,
    private readonly change: ChangeRun,
    private readonly follow: FollowRun,
  ) {}

  @Get()
  @ApiOperation({ operationId: 'listRuns' })
  @ApiResponse({ status: 200, standardSchema: RunPage })
  list(@Query({ schema: Filter }) filter: z.infer<typeof Filter>): Promise<RunPage> {
    return this.show.page(filter);
  }

  @Get(':id')
  @ApiOperation({ operationId: 'getRun', summary: 'A run, and why what does not move does not' })
  @ApiResponse({ status: 200, standardSchema: RunDetails })
  get(@Param('id', { schema: Id }) id: string): Promise<RunDetails> {
    return this.show.one(id);
  }

  @Get(':id/events')
  @ApiOperation({ operationId: 'followRun', summary: 'Server-sent events: the ledger of a run from a sequence on, then `end`' })
  async events(@Param('id', { schema: Id }) id: string, @Req() request: Request, @Res() response: Response): Promise<void> {
    const after = request.headers['last-event-id'] ?? request.query.after ?? '0';
    await this.follow.run(id, z.coerce.number().int().nonnegative().catch(0).parse(after), response);
  }

  @Post(':id/cancel')
  @HttpCode(202)
  @ApiOperation({ operationId: 'cancelRun' })
  cancel(@Param('id', { schema: Id }) id: string, @By() by: string): Promise<void> {
    return this.change.cancel(id, by);
  }

  @Post(':id/resume')
  @HttpCode(202)
  @ApiOperation({ operationId: 'resumeRun' })
  resume(@Param('id', { schema: Id }) id: string, @By() by: string): Promise<void> {
    return this.change.resume(id, by);
  }

  @Post(':id/steps/:key/retry')
  @HttpCode(202)
  @ApiOperation({ operationId: 'retryStep', summary: 'One more go at a step that failed; the key is percent-encoded' })
  retry(@Param('id', { schema: Id }) id: string, @Param('key') key: string, @By() by: string): Promise<void> {
    return this.change.retry(id, key, by);
  }

  @Get(':id/steps/:key/logs')
  @ApiOperation({ operationId: 'readLog' })
  @ApiResponse({ status: 200, standardSchema: StepLog })
  logs(@Param('id', { schema: Id }) id: string, @Param('key') key: string, @Query('after') after?: string): Promise<StepLog> {
    return this.show.log(id, key, after ?? null);
  }
}
