import { Controller, Get, Inject, Param } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { StorageStatus } from '@strata/model';
import { z } from 'zod';
import { ShowStorage } from './show-storage';

const Ref = z.string().min(1).max(63);

@ApiTags('storage')
@Controller('v1')
export class StorageController {
  @Inject() private readonly storage!: ShowStorage;

  @Get('clusters/:id/storage')
  @ApiOperation({ operationId: 'showStorage', summary: 'The storage of a cluster as its nodes see it now, with what is wrong' })
  @ApiResponse({ status: 200, standardSchema: StorageStatus })
  show(@Param('id', { schema: Ref }) id: string): Promise<StorageStatus> {
    return this.storage.run(id);
  }
}
