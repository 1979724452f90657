import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Post, Query } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { AddNodeBody, JoinCommand, NodeAdded, NodeView, RunStarted } from '@strata/model';
import { z } from 'zod';
import { By } from '../api/by';
import { AddNode } from './add-node';
import { MakeJoinCommand } from './make-join-command';
import { RemoveNode } from './remove-node';
import { ShowNodes } from './show-nodes';

const Ref = z.string().min(1).max(63);

@ApiTags('nodes')
@Controller('v1/clusters/:id/nodes')
export class NodesController {
  @Inject() private readonly add!: AddNode;
  @Inject() private readonly show!: ShowNodes;
  @Inject() private readonly remove!: RemoveNode;
  @Inject() private readonly joinCommand!: MakeJoinCommand;

  @Get()
  @ApiOperation({ operationId: 'listNodes' })
  @ApiResponse({ status: 200, standardSchema: z.array(NodeView) })
  list(@Param('id', { schema: Ref }) id: string): Promise<NodeView[]> {
    return this.show.all(id);
  }

  @Post()
  @HttpCode(202)
  @ApiOperation({ operationId: 'addNode', summary: 'Add a node to the spec and install it, now or as soon as the cluster is free' })
  @ApiResponse({ status: 202, standardSchema: NodeAdded })
  addNode(@Param('id', { schema: Ref }) id: string, @Body({ schema: AddNodeBody }) body: AddNodeBody, @By() by: string): Promise<NodeAdded> {
    return this.add.run(id, body, by);
  }

  @Get(':name')
  @ApiOperation({ operationId: 'getNode' })
  @ApiResponse({ status: 200, standardSchema: NodeView })
  get(@Param('id', { schema: Ref }) id: string, @Param('name', { schema: Ref }) name: string): Promise<NodeView> {
    return this.show.one(id, name);
  }

  @Delete(':name')
  @HttpCode(202)
  @ApiOperation({ operationId: 'removeNode', summary: 'Take the node out of the cluster and undo what was done to the machine' })
  @ApiResponse({ status: 202, standardSchema: RunStarted })
  removeNode(
    @Param({ schema: z.object({ id: Ref, name: Ref }) }) at: { id: string; name: string },
    @Query('force', { schema: z.stringbool().default(false) }) force: boolean,
    @By() by: string,
  ): Promise<RunStarted> {
    return this.remove.run(at, { force, by });
  }

  @Post(':name/join-command')
  @HttpCode(201)
  @ApiOperation({ operationId: 'makeJoinCommand', summary: 'One line for a machine that is not reached by SSH; good for 15 minutes and one use' })
  @ApiResponse({ status: 201, standardSchema: JoinCommand })
  join(@Param('id', { schema: Ref }) id: string, @Param('name', { schema: Ref }) name: string, @By() by: string): Promise<JoinCommand> {
    return this.joinCommand.run(id, name, by);
  }
}
