import { Controller, Get } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { ServerVersion } from '@strata/model';
import { OrderQueue } from '@strata/queue';
import { Edges } from '../serve/edges';
import { serverVersion } from '../serve/version';
import { ProblemError } from './problem';

@ApiTags('server')
@Controller()
export class HealthController {
  constructor(
    private readonly edges: Edges,
    private readonly queue: OrderQueue,
  ) {}

  @Get('healthz')
  @ApiOperation({ operationId: 'healthz', summary: 'The process answers' })
  healthz(): { status: 'ok' } {
    return { status: 'ok' };
  }

  @Get('readyz')
  @ApiOperation({ operationId: 'readyz', summary: 'It can work: database and queue answer' })
  async readyz(): Promise<{ status: 'ok' }> {
    try {
      await this.edges.store.ping();
      await withDeadline(this.queue.counts());
      return { status: 'ok' };
    } catch (cause) {
      throw new ProblemError(503, 'not-ready', {
        title: 'not ready',
        detail: cause instanceof Error ? cause.message : String(cause),
        remedy: 'the supervisor brings back what is down within seconds; see its log',
        cause,
      });
    }
  }

  @Get('v1/version')
  @ApiOperation({ operationId: 'getVersion' })
  @ApiResponse({ status: 200, standardSchema: ServerVersion })
  version(): ServerVersion {
    return { version: serverVersion, agentVersion: serverVersion, epoch: this.edges.epoch };
  }
}

const withDeadline = <T>(work: Promise<T>): Promise<T> =>
  Promise.race([work, new Promise<never>((_, reject) => setTimeout(() => reject(new Error('Redis does not answer')), 2_000).unref())]);
