import { Controller, Get, Header, Inject, Param } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { EvidenceSet } from '@strata/model';
import { z } from 'zod';
import { By } from '../api/by';
import { GatherSupport } from './gather-support';

const Ref = z.string().min(1).max(63);

@ApiTags('support')
@Controller('v1')
export class SupportController {
  @Inject() private readonly gather!: GatherSupport;

  @Get('support')
  @Header('cache-control', 'no-store')
  @ApiOperation({ operationId: 'gatherControlHost', summary: 'What the control host gives to a support archive, scrubbed' })
  @ApiResponse({ status: 200, standardSchema: EvidenceSet })
  controlHost(@By() by: string): Promise<EvidenceSet> {
    return this.gather.controlHost(by);
  }

  @Get('clusters/:id/nodes/:name/evidence')
  @Header('cache-control', 'no-store')
  @ApiOperation({ operationId: 'gatherNode', summary: 'What a node gives to a support archive, scrubbed; one without a session is not waited for' })
  @ApiResponse({ status: 200, standardSchema: EvidenceSet })
  node(@Param({ schema: z.object({ id: Ref, name: Ref }) }) at: { id: string; name: string }, @By() by: string): Promise<EvidenceSet> {
    return this.gather.node(at.id, at.name, by);
  }
}
