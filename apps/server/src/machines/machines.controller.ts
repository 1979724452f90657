import { Body, Controller, HttpCode, Inject, Post } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { LookAtMachines, MachinesSeen } from '@strata/model';
import { By } from '../api/by';
import { SeeMachines } from './see-machines';

@ApiTags('machines')
@Controller('v1/machines')
export class MachinesController {
  @Inject() private readonly see!: SeeMachines;

  @Post('look')
  @HttpCode(200)
  @ApiOperation({ operationId: 'lookAtMachines', summary: 'What machines are that belong to no cluster: over SSH, keeping nothing and changing nothing' })
  @ApiResponse({ status: 200, standardSchema: MachinesSeen })
  look(@Body({ schema: LookAtMachines }) body: LookAtMachines, @By() by: string): Promise<MachinesSeen> {
    return this.see.run(body, by);
  }
}
