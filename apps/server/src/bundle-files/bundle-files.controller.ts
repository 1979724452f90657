import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Post, Req, StreamableFile } from '@nestjs/common';
import { ApiConsumes, ApiOperation, ApiProduces, ApiResponse, ApiTags } from '@nestjs/swagger';
import { BundleFileMaking, BundleFilePushed, BundleFileTaken, BundleTrust, CreateBundleFile, Fingerprint, TrustBundleKey } from '@strata/model';
import { z } from 'zod';
import { By } from '../api/by';
import type { Request } from '../api/http';
import { MakeBundleFiles } from './make-bundle-files';
import { TakeBundleFiles } from './take-bundle-files';
import { TrustBundleKeys } from './trust-bundle-keys';

const silentMs = 120_000;

@ApiTags('bundle files')
@Controller('v1')
export class BundleFilesController {
  @Inject() private readonly making!: MakeBundleFiles;
  @Inject() private readonly taking!: TakeBundleFiles;
  @Inject() private readonly keys!: TrustBundleKeys;

  @Get('bundle-files')
  @ApiOperation({ operationId: 'listBundleFiles', summary: 'Bundle files that this server has taken, the latest first' })
  @ApiResponse({ status: 200, standardSchema: z.array(BundleFileTaken) })
  list(): Promise<BundleFileTaken[]> {
    return this.taking.all();
  }

  @Post('bundle-files')
  @HttpCode(200)
  @ApiConsumes('application/octet-stream')
  @ApiOperation({ operationId: 'pushBundleFile', summary: 'Take a bundle file: proven to its last byte before anything of it is kept' })
  @ApiResponse({ status: 200, standardSchema: BundleFilePushed })
  push(@Req() request: Request, @By() by: string): Promise<BundleFilePushed> {
    request.once('end', () => request.setTimeout(0)); // what follows is ours to do
    request.setTimeout(silentMs, () => request.destroy(new Error(`nothing came for ${silentMs / 1000} s`)));
    return this.taking.take(request, by);
  }

  @Post('bundle-files/made')
  @HttpCode(202)
  @ApiOperation({ operationId: 'createBundleFile', summary: 'Make a bundle file; what is missing in the store is obtained first' })
  @ApiResponse({ status: 202, standardSchema: BundleFileMaking })
  create(@Body({ schema: CreateBundleFile }) body: CreateBundleFile): Promise<BundleFileMaking> {
    return this.making.start(body);
  }

  @Get('bundle-files/made/:id')
  @ApiOperation({ operationId: 'getBundleFileMaking', summary: 'How far the making of a bundle file is' })
  @ApiResponse({ status: 200, standardSchema: BundleFileMaking })
  made(@Param('id', { schema: z.uuid() }) id: string): BundleFileMaking {
    return this.making.show(id);
  }

  @Get('bundle-files/made/:id/content')
  @ApiProduces('application/octet-stream')
  @ApiOperation({ operationId: 'getBundleFile', summary: 'The bytes of a bundle file that is ready' })
  async content(@Param('id', { schema: z.uuid() }) id: string, @By() by: string): Promise<StreamableFile> {
    const { stream, size } = await this.making.content(id, by);
    return new StreamableFile(stream, { type: 'application/octet-stream', length: size });
  }

  @Get('bundle-keys')
  @ApiOperation({ operationId: 'listBundleKeys', summary: 'The fingerprint of this server, and those whose bundle files it takes' })
  @ApiResponse({ status: 200, standardSchema: BundleTrust })
  trusted(): Promise<BundleTrust> {
    return this.keys.show();
  }

  @Post('bundle-keys')
  @HttpCode(200)
  @ApiOperation({ operationId: 'trustBundleKey', summary: 'Take the bundle files of this signer from now on' })
  @ApiResponse({ status: 200, standardSchema: BundleTrust })
  trust(@Body({ schema: TrustBundleKey }) body: TrustBundleKey, @By() by: string): Promise<BundleTrust> {
    return this.keys.trust(body.fingerprint, by);
  }

  @Delete('bundle-keys/:fingerprint')
  @ApiOperation({ operationId: 'untrustBundleKey', summary: 'Take none of its bundle files any more; what was taken stays' })
  @ApiResponse({ status: 200, standardSchema: BundleTrust })
  untrust(@Param('fingerprint', { schema: Fingerprint }) fingerprint: string, @By() by: string): Promise<BundleTrust> {
    return this.keys.untrust(fingerprint, by);
  }
}
