import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Post, Res } from '@nestjs/common';
import { ApiExcludeEndpoint, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { AccountSetUp, AccountView, Invitation, InviteAccount, Name, SetUpAccount } from '@strata/model';
import { z } from 'zod';
import { By } from '../api/by';
import type { Response } from '../api/http';
import { KeepAccounts } from './keep-accounts';
import { setUpPage, setUpPageHeaders } from './setup-page';

@ApiTags('accounts')
@Controller()
export class AccountsController {
  @Inject() private readonly accounts!: KeepAccounts;

  @Get('v1/accounts')
  @ApiOperation({ operationId: 'listAccounts', summary: 'Who may use this server, and who is invited' })
  @ApiResponse({ status: 200, standardSchema: z.array(AccountView) })
  list(): Promise<AccountView[]> {
    return this.accounts.all();
  }

  @Post('v1/accounts')
  @HttpCode(201)
  @ApiOperation({ operationId: 'inviteAccount', summary: 'A one-time link that makes whoever opens it this account; valid for 24 hours' })
  @ApiResponse({ status: 201, standardSchema: Invitation })
  invite(@Body({ schema: InviteAccount }) body: InviteAccount, @By() by: string): Promise<Invitation> {
    return this.accounts.invite(body, by);
  }

  @Delete('v1/accounts/:name')
  @HttpCode(204)
  @ApiOperation({ operationId: 'removeAccount', summary: 'Its token, or the link that is out, opens nothing any more' })
  remove(@Param('name', { schema: Name }) name: string, @By() by: string): Promise<void> {
    return this.accounts.remove(name, by);
  }

  @Post('v1/setup')
  @HttpCode(200)
  @ApiOperation({ operationId: 'setUpAccount', summary: 'Spends a one-time link; the answer is the only time that the token is told' })
  @ApiResponse({ status: 200, standardSchema: AccountSetUp })
  setUp(@Body({ schema: SetUpAccount }) body: SetUpAccount): Promise<AccountSetUp> {
    return this.accounts.setUp(body.code);
  }

  @Get('setup')
  @ApiExcludeEndpoint()
  page(@Res() response: Response): void {
    response.writeHead(200, setUpPageHeaders).end(setUpPage);
  }
}
