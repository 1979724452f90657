import { Controller, Get, Inject, Param, Query } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { Diagnosis, NodeChanges, rootCauseFirst } from '@strata/model';
import { z } from 'zod';
import { Edges } from '../serve/edges';
import { lookAtControlHost } from './control-host';
import { ExamineNodes } from './examine-nodes';
import { ShowChanges } from './show-changes';

const Ref = z.string().min(1).max(63);

@ApiTags('doctor')
@Controller('v1')
export class DoctorController {
  @Inject() private readonly edges!: Edges;
  @Inject() private readonly nodes!: ExamineNodes;
  @Inject() private readonly changes!: ShowChanges;

  @Get('doctor')
  @ApiOperation({ operationId: 'examineControlHost', summary: 'What is wrong with the control host, as its own server sees it' })
  @ApiResponse({ status: 200, standardSchema: Diagnosis })
  async controlHost(): Promise<Diagnosis> {
    return { checks: rootCauseFirst(await lookAtControlHost(this.edges.settings.home)) };
  }

  @Get('clusters/:id/doctor')
  @ApiOperation({ operationId: 'examineNodes', summary: 'What is wrong with the nodes of a cluster, the root cause first' })
  @ApiResponse({ status: 200, standardSchema: Diagnosis })
  examine(@Param('id', { schema: Ref }) id: string, @Query('node', { schema: Ref.optional() }) node?: string): Promise<Diagnosis> {
    return this.nodes.run(id, node);
  }

  @Get('clusters/:id/nodes/:name/changes')
  @ApiOperation({ operationId: 'listChanges', summary: 'Everything on a node that Strata owns, with what was there before; no contents' })
  @ApiResponse({ status: 200, standardSchema: NodeChanges })
  changesOf(@Param({ schema: z.object({ id: Ref, name: Ref }) }) at: { id: string; name: string }): Promise<NodeChanges> {
    return this.changes.run(at.id, at.name);
  }
}
